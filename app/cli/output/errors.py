"""How a command ends when it does not end well."""

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """What scripts may rely on."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    HELD = 3
    """It waits for a person's decision."""


class CommandError(Exception):
    """Ends the command with `code` and says why on standard error, `details` a line each."""

    def __init__(
        self, message: str, *, details: Sequence[str] = (), code: ExitCode = ExitCode.FAILED
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)
        self.code = code


class UsageError(CommandError):
    """Asked for in a way that cannot work, whatever the service says."""

    def __init__(self, message: str, *, details: Sequence[str] = ()) -> None:
        super().__init__(message, details=details, code=ExitCode.USAGE)
