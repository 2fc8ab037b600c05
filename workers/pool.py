"""arq's worker: it takes jobs, and each is a pass.

arq ends on an outage of Redis, so it is started again; passes and timers go on without it.
"""

import asyncio
import socket
from typing import Any, TypedDict

import structlog
from arq.connections import ArqRedis
from arq.constants import default_queue_name, health_check_key_suffix
from arq.typing import StartupShutdown, WorkerCoroutine
from arq.worker import Worker
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from app.settings import Settings
from app.sync.ingest.wakeups import HEARD
from app.telemetry import Metrics
from workers.passes import Passes
from workers.tasks import work

_LOG = structlog.get_logger(__name__)

_CONNECT_SECONDS = 2.0
# Longer than any wait for a job; a Redis that is silent for so long is away.
_ANSWER_SECONDS = 10.0

# Between two tries while Redis is away.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0

_HEALTH_SECONDS = 15


class Options(TypedDict):
    """Keyword arguments of arq's worker that do not depend on who starts it."""

    functions: list[WorkerCoroutine]
    max_jobs: int
    poll_delay: float
    job_timeout: int
    keep_result: int
    log_results: bool
    health_check_interval: int
    health_check_key: str


def options(settings: Settings) -> Options:
    return Options(
        functions=[work],
        max_jobs=settings.worker_concurrency,
        poll_delay=settings.poll_delay_seconds,
        # Nothing depends on it: it ends a wait for a pass, never the pass.
        job_timeout=600,
        # For the caller that enqueued the job and asks what it did.
        keep_result=60,
        log_results=False,
        # Of this machine alone, so that a container's check is about this container's worker.
        health_check_interval=_HEALTH_SECONDS,
        health_check_key=f"{default_queue_name}{health_check_key_suffix}:{socket.gethostname()}",
    )


async def keep_taking_jobs(settings: Settings, url: str, passes: Passes, metrics: Metrics) -> None:
    """For ever, over outages of Redis."""
    pause, away = _FIRST_PAUSE, False

    async def up(ctx: dict[Any, Any]) -> None:  # noqa: ARG001 - arq's name for it
        nonlocal away
        if away:
            _LOG.info("redis_back")
        away = False
        metrics.redis_up.set(1)
        passes.begin()  # for the wake-ups that were lost meanwhile

    while True:
        redis = _redis(url)
        worker = HearingWorker(redis, up, settings, {"passes": passes})
        started = asyncio.get_running_loop().time()
        try:
            await worker.async_run()
        except (RedisError, OSError, asyncio.CancelledError, TimeoutError) as error:
            # arq answers its own shutdown with a cancellation; ours must go through.
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            metrics.redis_up.set(0)
            if not away:
                _LOG.warning("redis_away", error=type(error).__name__)
            away = True
        finally:
            await _close(worker, redis)
        lasted = asyncio.get_running_loop().time() - started
        pause = _FIRST_PAUSE if lasted > _LONGEST_PAUSE else min(_LONGEST_PAUSE, pause * 2)
        await asyncio.sleep(pause)


class HearingWorker(Worker):
    """arq's worker, which between two polls of its queue waits at the list in which each job's id
    is said as well. One worker hears of a job, and at once; a job that was said to one that died
    is still in the queue, for the next poll of any."""

    def __init__(
        self, redis: ArqRedis, up: StartupShutdown, settings: Settings, ctx: dict[Any, Any]
    ) -> None:
        super().__init__(
            redis_pool=redis, on_startup=up, handle_signals=False, ctx=ctx, **options(settings)
        )
        self._one_ended = asyncio.Event()

    async def _poll_iteration(self) -> None:
        _end_if_cancelled()
        await super()._poll_iteration()
        until = self.loop.time() + self.poll_delay_s
        while (left := until - self.loop.time()) > 0:
            _end_if_cancelled()
            if self.job_counter < self.max_jobs:
                heard = await self.pool.execute_command(  # type: ignore[no-untyped-call]
                    "BLPOP", HEARD, max(left, 0.001)
                )
                if heard is not None:
                    await self.start_jobs([heard[1]])
            else:
                await self._end_of_one(left)

    async def _end_of_one(self, seconds: float) -> None:
        self._one_ended.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._one_ended.wait()
        except TimeoutError:
            pass

    def _release_sem_dec_counter_on_complete(self) -> None:
        super()._release_sem_dec_counter_on_complete()
        self._one_ended.set()


def _end_if_cancelled() -> None:
    """redis-py now and then takes a cancellation for a time-out of its own, and goes on."""
    current = asyncio.current_task()
    if current is not None and current.cancelling():
        raise asyncio.CancelledError


def _redis(url: str) -> ArqRedis:
    """Connects when it is first used. Ours, because arq forgets the one that it is opening when
    it is cancelled."""
    pool = ConnectionPool.from_url(
        url, socket_connect_timeout=_CONNECT_SECONDS, socket_timeout=_ANSWER_SECONDS
    )
    return ArqRedis(pool)


async def _close(worker: Worker, redis: ArqRedis) -> None:
    """Its jobs go back into the queue, for other workers; their passes end here."""
    try:
        await worker.close()
    except (RedisError, OSError):
        pass
    except asyncio.CancelledError:
        # arq waits for the jobs that it has just cancelled; our own cancellation must go through.
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise
    finally:
        await redis.aclose(close_connection_pool=True)
