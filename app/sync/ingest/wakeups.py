"""Wake-ups for the workers. They carry nothing: what there is to do is in PostgreSQL."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol
from uuid import uuid4

import structlog
from arq.constants import default_queue_name, job_key_prefix
from arq.jobs import serialize_job
from arq.utils import timestamp_ms
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

_LOG = structlog.get_logger(__name__)

TASK = "work"
HEARD = "twinlink:wake"
"""A list in which each job's id is said as well: the worker that takes it from there hears of the
job at once, and no other one does."""
GAP_SECONDS = 0.010
"""Workers go on until nothing is due, so more wake-ups than this only cost."""
EXPIRES = timedelta(seconds=60)
"""Longer than any sweep: what no worker took until then, the sweep has found."""
MOST_WAITING = 100
"""Jobs that wait: one says as much as another, since a pass whose claim came back full calls the
next. Without a bound, a night without workers would fill the store."""
_ANSWER_SECONDS = 2.0


class Queue(Protocol):
    """Where wake-ups go. Errors of the way there are `RedisError`, `OSError`, time-outs."""

    async def put(self) -> bool:
        """Whether it went to a place where workers look."""
        ...

    async def aclose(self) -> None: ...


class ArqQueue:
    """arq's queue, and the list beside it. Connects when it is first used, so that nobody's
    start needs Redis."""

    def __init__(self, url: str) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=2,
            timeout=_ANSWER_SECONDS,
            socket_timeout=_ANSWER_SECONDS,
            socket_connect_timeout=_ANSWER_SECONDS,
        )
        self._redis = Redis(connection_pool=pool)
        self._pool = pool
        self._counted_at = float("-inf")
        self._room = True

    async def put(self) -> bool:
        """What arq's `enqueue_job` writes, in one round trip instead of four: a hundred a second
        took a sixth of this process's time. The job id is random, so that there is no need to ask
        whether it exists (arq drops a job whose id is queued or running)."""
        if time.monotonic() - self._counted_at > 1:
            self._room = await self._redis.zcard(default_queue_name) < MOST_WAITING
            self._counted_at = time.monotonic()
        if self._room:
            job, now = uuid4().hex, timestamp_ms()
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.psetex(job_key_prefix + job, EXPIRES, serialize_job(TASK, (), {}, None, now))
                pipe.zadd(default_queue_name, {job: now})
                pipe.rpush(HEARD, job)
                pipe.expire(HEARD, EXPIRES)
                await pipe.execute()
        return True

    async def aclose(self) -> None:
        await self._redis.aclose()
        await self._pool.disconnect()


class Wake:
    """Coalesces: at most one wake-up per *gap* and process, and always one after the last call.

    *report* hears 1 after each that went out and 0 after each that did not.
    """

    def __init__(
        self,
        queue: Queue,
        *,
        gap: float = GAP_SECONDS,
        report: Callable[[float], object] = lambda _up: None,
    ) -> None:
        self._queue = queue
        self._gap = gap
        self._report = report
        self._wanted = False
        self._task: asyncio.Task[None] | None = None
        self.sent = 0
        self.failed = 0
        self.missed: Callable[[], object] = lambda: None
        """Called after each wake-up that reached no worker. One that is a worker itself can do
        what it asked for."""

    def soon(self) -> None:
        """Call after a commit, never before. Returns at once, never raises."""
        self._wanted = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._send_while_wanted())

    async def aclose(self) -> None:
        """Send what is wanted still, then close the queue."""
        if self._task is not None:
            await self._task
        await self._queue.aclose()

    async def _send_while_wanted(self) -> None:
        while self._wanted:
            # Before the send: a commit during it is not covered by it.
            self._wanted = False
            await self._send()
            await asyncio.sleep(self._gap)

    async def _send(self) -> None:
        """Redis away is no error here: the sweep finds the work."""
        try:
            arrived = await self._queue.put()
        except (RedisError, OSError, TimeoutError) as error:
            if not self.failed:
                _LOG.warning("wake_failed", error=type(error).__name__)
            self.failed += 1
            self._report(0.0)
            self.missed()
        else:
            self.sent += 1
            self._report(1.0)
            if not arrived:
                self.missed()
