"""Jobs through a real Redis: each is one pass of one worker, and a lost one changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from arq.connections import RedisSettings, create_pool
from arq.constants import default_queue_name, health_check_key_suffix
from redis.asyncio import Redis

from app.embedded import ValkeyServer
from app.settings import Settings
from app.store.queue.work import Tally
from app.sync.ingest.wakeups import HEARD, ArqQueue
from app.sync.reconcile.loop import Pass
from app.telemetry import Metrics
from tests.support.waiting import until
from workers.passes import Passes
from workers.pool import keep_taking_jobs

# arq closes its pool by redis-py's former name for it.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")

SLOW_POLL: dict[str, Any] = {"poll_delay_seconds": 5.0}
QUICK_POLL: dict[str, Any] = {"poll_delay_seconds": 0.01}
DID = Pass(7, 0, tally=Tally(created=4, removed=2, held=1))


@dataclass
class Counted:
    """Passes that do nothing but count themselves."""

    count: int = 0
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run_once(self, _: Callable[[], object]) -> Pass:
        async with self._more:
            self.count += 1
            self._more.notify_all()
        return DID

    async def reached(self, count: int) -> None:
        async with self._more, asyncio.timeout(20):
            await self._more.wait_for(lambda: self.count >= count)


@asynccontextmanager
async def pool_of(
    settings: Settings, redis_url: str, *, workers: int = 1, **more: Any
) -> AsyncIterator[Counted]:
    """That only Redis wakes. Each has made the one pass that its start asks for."""
    counted = Counted()
    settings = settings.model_copy(update=more)
    all_passes = [Passes(counted.run_once, lambda: None, most=10) for _ in range(workers)]
    tasks = [
        asyncio.create_task(keep_taking_jobs(settings, redis_url, passes, Metrics()))
        for passes in all_passes
    ]
    try:
        await counted.reached(workers)
        yield counted
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for passes in all_passes:
            await passes.end(5)


@pytest.mark.parametrize("poll", [QUICK_POLL, SLOW_POLL])
async def test_a_wake_up_is_one_pass_of_one_worker(
    settings: Settings, redis_url: str, poll: dict[str, Any]
) -> None:
    async with (
        pool_of(settings, redis_url, workers=3, **poll) as counted,
        Redis.from_url(redis_url) as redis,
    ):
        queue = ArqQueue(redis_url)
        for number in range(1, 4):
            await queue.put()
            await counted.reached(3 + number)
            await until(lambda: _empty(redis), "arq has taken the job")
        await queue.aclose()
        assert counted.count == 6


async def test_a_job_is_heard_of_before_arq_looks_again(settings: Settings, redis_url: str) -> None:
    async with pool_of(settings, redis_url, **SLOW_POLL) as counted, asyncio.timeout(4):
        queue = ArqQueue(redis_url)
        for count in (2, 3, 4):
            await queue.put()
            await counted.reached(count)
        await queue.aclose()


async def test_a_job_that_was_said_to_no_worker_is_found(
    settings: Settings, redis_url: str
) -> None:
    """The worker that took its id from the list is gone."""
    async with (
        pool_of(settings, redis_url, **QUICK_POLL) as counted,
        await create_pool(RedisSettings.from_dsn(redis_url)) as arq,
    ):
        job = await arq.enqueue_job("work")  # which says it in no list
        assert job is not None
        await counted.reached(2)
        assert await job.result(timeout=20) == {
            "claimed": 7, "dirty": 0, "created": 4, "removed": 2, "held": 1, "skipped": 0,
            "failed": 0,
        }  # fmt: skip


async def test_a_worker_whose_connections_break_takes_jobs_again(
    settings: Settings, own_valkey: ValkeyServer
) -> None:
    """On a store of its own: other tests have connections to theirs."""
    async with pool_of(settings, own_valkey.url, **SLOW_POLL) as counted:
        async with Redis.from_url(own_valkey.url) as redis:
            await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await counted.reached(2)  # for what was lost meanwhile
        queue = ArqQueue(own_valkey.url)
        await queue.put()
        await counted.reached(3)
        await queue.aclose()


async def test_a_job_that_expired_keeps_no_other_one(settings: Settings, redis_url: str) -> None:
    """arq drops it; the sweep has long looked."""
    async with Redis.from_url(redis_url) as redis:
        await redis.zadd(default_queue_name, {"expired": 1})
        await redis.rpush(HEARD, "expired")
        async with pool_of(settings, redis_url, **QUICK_POLL) as counted:
            await until(lambda: _empty(redis), "arq has dropped it")
            assert counted.count == 1
            queue = ArqQueue(redis_url)
            await queue.put()
            await counted.reached(2)
            await queue.aclose()


async def test_more_jobs_than_may_run_are_all_taken(settings: Settings, redis_url: str) -> None:
    """Those that nobody had room for wait for the end of another, not for a poll."""
    async with pool_of(settings, redis_url, worker_concurrency=2, **SLOW_POLL) as counted:
        queue = ArqQueue(redis_url)
        async with asyncio.timeout(4):
            for _ in range(20):
                await queue.put()
            await counted.reached(21)
        await queue.aclose()


async def test_a_worker_that_stops_takes_its_sign_of_life_with_it(
    settings: Settings, redis_url: str
) -> None:
    async with Redis.from_url(redis_url) as redis:
        sign = f"{default_queue_name}{health_check_key_suffix}:*"
        async with pool_of(settings, redis_url, **QUICK_POLL):
            await until(lambda: _counted(redis, sign, 1), "a sign of life")
        assert await redis.keys(sign) == []


async def _counted(redis: "Redis", keys: str, count: int) -> bool:
    return len(await redis.keys(keys)) == count


async def _empty(redis: "Redis") -> bool:
    return bool(await redis.zcard(default_queue_name) == 0)
