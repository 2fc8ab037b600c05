"""What a caller may have done once at a time: the next one waits for its turn."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class OneAtATime:
    """By caller; each process counts for itself. A lock is gone with its last user."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(caller, asyncio.Lock())
        async with lock:
            yield
