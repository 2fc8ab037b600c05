"""Wake-ups through a real Redis: heard once each, also those that nobody can run any more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from arq.constants import default_queue_name, job_key_prefix
from redis.asyncio import Redis

from app.sync.ingest.wakeups import CHANNEL, ArqQueue
from app.sync.reconcile.loop import Pass
from app.telemetry import Metrics
from tests.support.waiting import until
from workers.pump import Pump
from workers.wakes import listen

# arq closes its pool by redis-py's former name for it.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")


@dataclass
class Passes:
    """A worker that finds nothing, and counts how often it looks."""

    count: int = 0
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run_once(self) -> Pass:
        async with self._more:
            self.count += 1
            self._more.notify_all()
        return Pass(0, 0)

    async def reached(self, count: int) -> None:
        async with self._more, asyncio.timeout(20):
            await self._more.wait_for(lambda: self.count >= count)


@asynccontextmanager
async def listening(redis_url: str, poll_delay: float = 0.01) -> AsyncIterator[Passes]:
    """A pump that only Redis wakes; it has looked once, as it does when arq has started."""
    passes = Passes()
    pump = Pump(passes.run_once, runners=3, size=100)
    pump.start()
    task = asyncio.create_task(listen(redis_url, pump, Metrics(), poll_delay=poll_delay))
    try:
        await passes.reached(1)
        yield passes
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await pump.stop(5)


async def test_a_wake_up_is_one_look(redis_url: str) -> None:
    async with listening(redis_url) as passes, Redis.from_url(redis_url) as redis:
        queue = ArqQueue(redis_url)
        await queue.put()
        await passes.reached(2)
        await until(lambda: _empty(redis), "arq has taken the wake-up")
        await queue.put()
        await passes.reached(3)
        await until(lambda: _empty(redis), "arq has taken the other one")
        await queue.aclose()
        assert passes.count == 3


async def test_a_message_is_heard_before_arq_looks_again(redis_url: str) -> None:
    async with listening(redis_url, poll_delay=3600) as passes, Redis.from_url(redis_url) as redis:
        await until(lambda: _subscribed(redis), "the worker listens")
        queue = ArqQueue(redis_url)
        for count in (2, 3, 4):
            await queue.put()
            await passes.reached(count)
        await queue.aclose()


async def test_a_worker_whose_messages_break_off_listens_again(redis_url: str) -> None:
    async with listening(redis_url, poll_delay=3600) as passes, Redis.from_url(redis_url) as redis:
        await until(lambda: _subscribed(redis), "the worker listens")
        await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda: _subscribed(redis), "the worker listens again")
        queue = ArqQueue(redis_url)
        await queue.put()
        await passes.reached(2)
        await queue.aclose()


async def test_one_whose_job_is_gone_is_heard_all_the_same(redis_url: str) -> None:
    """arq drops it without a word; what it meant is still to be done."""
    async with listening(redis_url) as passes, Redis.from_url(redis_url) as redis:
        await redis.zadd(default_queue_name, {"expired": 1})
        assert not await redis.exists(job_key_prefix + "expired")
        await passes.reached(2)


async def _subscribed(redis: "Redis") -> bool:
    return bool(dict(await redis.pubsub_numsub(CHANNEL))[CHANNEL.encode()] > 0)


async def _empty(redis: "Redis") -> bool:
    return bool(await redis.zcard(default_queue_name) == 0)
