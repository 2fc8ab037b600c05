"""The exit codes of every process and command: scripts may rely on them."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What scripts may rely on."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    HELD = 3
    """It waits for a person's decision."""
