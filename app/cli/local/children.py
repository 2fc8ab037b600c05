"""The processes that `twinlink up` starts, and how they all end."""

import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from app.cli.output.errors import CommandError

_PATIENCE_SECONDS = 30.0
"""How long a stop may take: a worker finishes its open writes. Longer means that it hangs."""


@dataclass(frozen=True, slots=True)
class Child:
    name: str
    process: asyncio.subprocess.Process


class Children:
    """The child processes. Each has its own session: Ctrl-C reaches only the parent, which ends
    them in order. The parent holds their standard input, so that they end if it dies."""

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._ends: list[asyncio.Task[int]] = []

    @property
    def pids(self) -> dict[str, int]:
        return {child.name: child.process.pid for child in self._children}

    async def start(
        self, name: str, *arguments: str, environment: Mapping[str, str], fds: Sequence[int] = ()
    ) -> None:
        """Run `twinlink NAME ARGUMENTS` with this Python and this code."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.cli.main", name, "--lifeline", *arguments),
            stdin=asyncio.subprocess.PIPE,
            env=environment,
            pass_fds=fds,
            start_new_session=True,
        )
        self._children.append(Child(name, process))
        self._ends.append(asyncio.create_task(process.wait(), name=name))

    async def first_end(self) -> NoReturn:
        """Wait for the first child that ends, and raise an error that names it."""
        done, _ = await asyncio.wait(self._ends, return_when=asyncio.FIRST_COMPLETED)
        ended = next(task for task in self._ends if task in done)
        raise CommandError(f"the {ended.get_name()} ended by itself, {_how(ended.result())}")

    async def end(self) -> None:
        """Ask all to stop, and kill those that have not stopped in time."""
        self._signal(signal.SIGTERM)
        if self._ends:
            _, running = await asyncio.wait(self._ends, timeout=_PATIENCE_SECONDS)
            if running:
                self.kill()
                await asyncio.wait(running)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for child in self._children:
            if child.process.returncode is None:
                child.process.send_signal(number)


def _how(status: int) -> str:
    return f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
