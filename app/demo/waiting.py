"""Wait for a condition, up to a time limit."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from app.demo.failed import DemoFailed

T = TypeVar("T")

POLL_SECONDS = 0.05


async def until(what: str, look: Callable[[], Awaitable[T | None]], *, seconds: float = 30.0) -> T:
    """The first answer of *look* that is something. `DemoFailed` names *what* never came."""
    end = monotonic() + seconds
    while True:
        found = await look()
        if found:
            return found
        if monotonic() > end:
            raise DemoFailed(f"{what}: not within {seconds:.0f} seconds")
        await asyncio.sleep(POLL_SECONDS)
