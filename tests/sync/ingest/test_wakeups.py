"""Wake-ups: few, never before what they tell of, and never anybody's trouble."""

import asyncio

import pytest
from arq.constants import default_queue_name
from arq.jobs import deserialize_job
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from app.embedded import ValkeyServer
from app.sync.ingest import wakeups as module
from app.sync.ingest.wakeups import HEARD, TASK, ArqQueue, Wake


class Queue:
    """`gate` holds a wake-up on its way; `error` is what each meets."""

    def __init__(self) -> None:
        self.began = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.started = asyncio.Event()
        self.error: Exception | None = None
        self.arrives = True

    async def put(self) -> bool:
        self.began += 1
        self.started.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.arrives

    async def aclose(self) -> None:
        pass


async def test_many_calls_are_one_wake_up() -> None:
    queue = Queue()
    wake = Wake(queue, gap=0)
    for _ in range(50):
        wake.soon()
    await wake.aclose()
    assert (queue.began, wake.sent) == (1, 1)


async def test_a_commit_during_a_wake_up_gets_one_of_its_own() -> None:
    queue = Queue()
    queue.gate.clear()
    wake = Wake(queue, gap=0)
    wake.soon()
    await queue.started.wait()
    wake.soon()
    wake.soon()
    queue.gate.set()
    await wake.aclose()
    assert queue.began == 2


@pytest.mark.parametrize("error", [RedisConnectionError(), OSError(), TimeoutError()])
async def test_redis_away_is_counted_and_nothing_else(error: Exception) -> None:
    queue, heard = Queue(), list[float]()
    queue.error = error
    wake = Wake(queue, gap=0, report=heard.append)
    wake.soon()
    await wake.aclose()
    queue.error = None
    wake.soon()
    await wake.aclose()
    assert (wake.failed, wake.sent, heard) == (1, 1, [0.0, 1.0])


@pytest.mark.parametrize("error", [RedisConnectionError(), None])
async def test_a_wake_up_that_reached_no_worker_is_said(error: Exception | None) -> None:
    queue, missed = Queue(), list[None]()
    queue.error, queue.arrives = error, False
    wake = Wake(queue, gap=0)
    wake.missed = lambda: missed.append(None)
    wake.soon()
    await wake.aclose()
    queue.error, queue.arrives = None, True
    wake.soon()
    await wake.aclose()
    assert len(missed) == 1


async def test_arq_can_read_what_is_written(redis_url: str) -> None:
    queue = ArqQueue(redis_url)
    await queue.put()
    await queue.put()
    async with Redis.from_url(redis_url) as redis:
        ids = [str(job, "ascii") for job in await redis.zrange(default_queue_name, 0, -1)]
        body = await redis.get(f"arq:job:{ids[0]}")
        left = await redis.pttl(f"arq:job:{ids[0]}")
        said = [str(job, "ascii") for job in await redis.lrange(HEARD, 0, -1)]
    assert len(ids) == 2
    assert sorted(said) == sorted(ids)
    job = deserialize_job(body)
    assert (job.function, job.args, job.kwargs) == (TASK, (), {})
    assert 0 < left <= 60_000
    await queue.aclose()


async def test_a_night_without_workers_does_not_fill_the_store(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    async with Redis.from_url(redis_url) as redis:
        await redis.zadd(default_queue_name, {f"job-{n}": n for n in range(3)})
        queue = ArqQueue(redis_url)
        await queue.put()
        await queue.aclose()
        assert await redis.zcard(default_queue_name) == 3


async def test_wake_ups_go_on_when_redis_is_back(own_valkey: ValkeyServer) -> None:
    wake = Wake(ArqQueue(own_valkey.url), gap=0)
    own_valkey.stop()
    wake.soon()
    assert wake._task is not None
    await wake._task
    own_valkey.start()
    wake.soon()
    await wake.aclose()
    assert (wake.failed, wake.sent) == (1, 1)
