"""Time as a sandbox site sees it: injected, so that a simulation can own it.

All sandbox times are Unix seconds by the site's own clock; stored times are whole milliseconds.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from typing import Protocol


class Clock(Protocol):
    """What a site and its courier need of time."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class WallClock:
    """Real time, optionally wrong by `offset` seconds (sites are never quite in step)."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def now(self) -> float:
        return time.time() + self.offset

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """Time that passes only when a test advances it."""

    def __init__(self, start: float = 1_767_225_600.0) -> None:
        self._now = start
        self._order = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._sleepers, (self._now + seconds, self._order, waiter))
        await waiter

    def set(self, now: float) -> None:
        """Move time without waking sleepers; never backwards."""
        self._now = max(self._now, now)

    def tick(self, seconds: float) -> None:
        """Let time pass in synchronous code, where no task sleeps."""
        self._now += seconds

    async def advance(self, seconds: float) -> None:
        """Let time pass, waking sleepers in the order in which they are due."""
        end = self._now + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, waiter = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not waiter.done():
                waiter.set_result(None)
            for _ in range(5):  # let the woken task run up to its next wait
                await asyncio.sleep(0)
        self._now = max(self._now, end)
