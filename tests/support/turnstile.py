"""Lets some calls into a sandbox site and holds the others until they may go on."""

import asyncio
from dataclasses import dataclass, field

from app.sandbox import Fault, JiraSite
from tests.support.waiting import until


@dataclass(slots=True)
class Turnstile:
    """`passes` calls go through before it holds any. A client may give up while its call is held;
    the call then acts all the same, as a request does whose client has died."""

    passes: int = 0
    held: int = 0
    _open: asyncio.Event = field(default_factory=asyncio.Event)

    def install(self, site: JiraSite, method: str, path: str) -> None:
        site.faults.add(Fault("before", method, path, action=self._enter))

    async def _enter(self) -> None:
        if self.passes > 0:
            self.passes -= 1
            return
        self.held += 1
        await self._open.wait()
        self.held -= 1

    async def holds(self, at_least: int, *, seconds: float = 60.0) -> None:
        await until(lambda: self.held >= at_least, f"{at_least} calls held", seconds=seconds)

    async def open(self) -> None:
        """Let all calls through from now on; returns when those that were held have acted."""
        self._open.set()
        await until(lambda: self.held == 0, "the turnstile empty")
