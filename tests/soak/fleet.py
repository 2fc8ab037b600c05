"""An API and some workers under a keeper that starts anew whatever ended."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from tests.support.processes import Process, Processes, free_port

Kind = Literal["api", "worker"]
STARTS = 10
"""A process that finds no PostgreSQL at its start ends, and its keeper tries again."""


@dataclass(slots=True)
class Seat:
    """A place for one process. `running` is empty while there is none to strike."""

    kind: Kind
    start: Callable[[], Awaitable[Process]]
    process: Process | None = None
    frozen: bool = False
    running: asyncio.Event = field(default_factory=asyncio.Event)
    _keeping: asyncio.Task[None] | None = None

    def fill(self) -> None:
        self._keeping = asyncio.create_task(self._fill())

    async def _fill(self) -> None:
        for left in reversed(range(STARTS)):
            try:
                self.process = await self.start()
            except AssertionError:  # it ended before it was ready
                if not left:
                    raise
            else:
                self.running.set()
                return

    async def filled(self) -> None:
        assert self._keeping is not None
        await self._keeping

    async def kill(self) -> None:
        """At once, frozen or not; its successor starts meanwhile."""
        assert self.process is not None
        self.running.clear()
        self.frozen = False
        assert await self.process.end(signal.SIGKILL) == -signal.SIGKILL
        self.fill()

    def freeze(self) -> None:
        assert self.process is not None
        self.frozen = True
        self.process.send(signal.SIGSTOP)

    def thaw(self, process: Process | None) -> None:
        """Let it go on, if it is still the one that was frozen."""
        if self.frozen and process is self.process and process is not None:
            process.send(signal.SIGCONT)
            self.frozen = False


@dataclass(slots=True)
class Fleet:
    """`url` stays, whoever answers there."""

    processes: Processes
    url: str
    seats: list[Seat]

    async def whole(self) -> None:
        """Until every seat is taken."""
        for seat in self.seats:
            await seat.filled()

    async def target(self, kind: Kind, dice: random.Random, *, awake: bool = False) -> Seat:
        """One that runs; waits until there is one. *awake*: it must not be frozen, and of workers
        at most two ever are."""
        while True:
            seats = [it for it in self.seats if it.kind == kind and not (awake and it.frozen)]
            up = [it for it in seats if it.running.is_set()]
            if up:
                return dice.choice(up)
            waits = [asyncio.create_task(it.running.wait()) for it in seats]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for it in waits:
                it.cancel()


@asynccontextmanager
async def fleet(processes: Processes, *, workers: int) -> AsyncIterator[Fleet]:
    """All of them started."""
    port = free_port()
    seats = [Seat("api", lambda: processes.api(at=port))]
    seats += [Seat("worker", processes.worker) for _ in range(workers)]
    made = Fleet(processes, f"http://127.0.0.1:{port}", seats)
    try:
        for seat in seats:
            seat.fill()
        await made.whole()
        yield made
    finally:
        for seat in seats:
            seat.thaw(seat.process)
