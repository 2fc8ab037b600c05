"""Run one script in Redis within a second, safely under cancellation."""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any

from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

REDIS_SECONDS = 1.0
"""A Redis that answers later counts as away."""

AWAY_SECONDS = 1.0
"""How long Redis is not called after a failure."""


class RedisCalls:
    """The calls of one user of Redis, which decides by itself whether Redis is away."""

    def __init__(self) -> None:
        self._away_until = float("-inf")

    async def run(
        self, script: AsyncScript, keys: list[str], arguments: Sequence[str | float]
    ) -> Any:
        """The script's reply, or None while Redis is away.

        redis-py waits with `asyncio.wait_for`, which on Python 3.11 forgets a cancellation that
        comes in the moment in which the awaited task ends, so this raises it.
        """
        if monotonic() < self._away_until:
            return None
        task = asyncio.current_task()
        before = task.cancelling() if task is not None else 0
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                reply = await script(keys=keys, args=arguments)
        except (RedisError, OSError, TimeoutError):
            self._away_until = monotonic() + AWAY_SECONDS
            reply = None
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
        return reply
