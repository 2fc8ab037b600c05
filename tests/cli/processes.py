"""`twinlink` as processes: `up` on a free port, and commands that find it by its directory."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SECONDS = 60.0
"""Long: the machine may be busy. Nothing waits for it to pass."""


@dataclass
class Up:
    process: subprocess.Popen[str]
    told: dict[str, Any]
    directory: Path

    @property
    def pids(self) -> dict[str, int]:
        pids: dict[str, int] = self.told["pids"]
        return pids

    def end(self, number: int) -> tuple[int, str]:
        """Send that signal; the exit code and standard error."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, said


@contextmanager
def up(directory: Path, *arguments: str, env: Mapping[str, str]) -> Iterator[Up]:
    """From when it says that it is ready; killed at the end if the test did not end it."""
    process = start(directory, *arguments, env=env)
    try:
        yield Up(process, json.loads(_document(process)), directory)
    finally:
        process.kill()
        process.communicate()


def start(directory: Path, *arguments: str, env: Mapping[str, str]) -> subprocess.Popen[str]:
    command = ["-m", "app.cli.main", "up", "--port", "0", "--json", *arguments]
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=_environment(directory, env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def command(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command beside `up`: it knows the directory and nothing else."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli.main", *arguments],
        cwd=ROOT,
        env=_environment(directory, {}),
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def all_end(pids: Mapping[str, int]) -> Iterator[None]:
    """Whatever happens inside the block, these processes are gone soon after it."""
    ends = {name: os.pidfd_open(pid) for name, pid in pids.items()}
    try:
        yield
        for name, end in ends.items():
            assert select.select([end], [], [], SECONDS)[0], f"{name} is still there"
    finally:
        for end in ends.values():
            os.close(end)


def _environment(directory: Path, env: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "TWINLINK_DATA_DIR": str(directory), **env}


def _document(process: subprocess.Popen[str]) -> str:
    """Its one JSON document, which ends in a line with a lone bracket."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            return "".join(lines)
    raise AssertionError(process.stderr.read() if process.stderr else "")
