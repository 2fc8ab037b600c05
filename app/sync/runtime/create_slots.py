"""Turns: how many creates of one site a process may have reserved and not sent yet.

An intent must be sent within ten seconds. Runners that all open intents for one site would open
more than its budget lets out in that time, close the surplus unsent, and read everything again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# About what the budget of one endpoint lets out in a second: several processes may do so at once.
ROOM = 100


class Turns:
    """Live and bulk wait apart, so that what people do now is not behind a resync."""

    def __init__(self) -> None:
        self._rooms: dict[tuple[int, bool], _Room] = {}

    @asynccontextmanager
    async def take(self, site: int, *, bulk: bool, writes: int) -> AsyncIterator[None]:
        """Hold room for *writes*, at most `ROOM`, from before they are reserved until the last
        of them is on its way. First come, first served."""
        room = self._rooms.setdefault((site, bulk), _Room())
        await room.enter(writes)
        try:
            yield
        finally:
            await room.leave(writes)


class _Room:
    def __init__(self) -> None:
        self._free = ROOM
        self._changed = asyncio.Condition()
        # A caller that needs many would wait for ever behind those that need few.
        self._first = asyncio.Lock()

    async def enter(self, writes: int) -> None:
        async with self._first, self._changed:
            await self._changed.wait_for(lambda: self._free >= writes)
            self._free -= writes

    async def leave(self, writes: int) -> None:
        async with self._changed:
            self._free += writes
            self._changed.notify_all()
