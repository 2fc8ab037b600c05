"""An answer that is good for a moment: however many ask, it is made once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class KeptAnswer(Generic[T]):
    """*make* is called by one at a time, and not again while its last answer is younger than
    *seconds*. What it raises reaches its caller alone, and is not kept."""

    def __init__(
        self,
        make: Callable[[], Awaitable[T]],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._seconds = seconds
        self._clock = clock
        self._turn = asyncio.Lock()
        self._kept: tuple[float, T] | None = None

    async def get(self) -> T:
        async with self._turn:
            if self._kept is None or self._clock() - self._kept[0] >= self._seconds:
                answer = await self._make()
                self._kept = self._clock(), answer
            return self._kept[1]
