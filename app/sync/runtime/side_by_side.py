"""Several calls at once, within a bound."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

# Requests of one batch of writes: enough to hide Jira's 100 ms, within its budgets.
WRITES_AT_ONCE = 16

A = TypeVar("A")
B = TypeVar("B")


async def side_by_side(limit: int, call: Callable[[A], Awaitable[B]], on: Iterable[A]) -> list[B]:
    """What *call* answers for each, in order, no more than *limit* at a time."""
    slots = asyncio.Semaphore(limit)

    async def one(it: A) -> B:
        async with slots:
            return await call(it)

    return await asyncio.gather(*map(one, on))
