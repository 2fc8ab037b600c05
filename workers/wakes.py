"""Wake-ups for the pump: a message is heard at once, arq finds what no message told.

Both may end, lose something or be away; the sweep goes on without them.
"""

import asyncio
from collections import deque
from typing import Any

import structlog
from arq.connections import ArqRedis
from arq.worker import Worker
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from app.sync.ingest.wakeups import CHANNEL
from app.telemetry import Metrics
from workers.pump import Pump
from workers.tasks import work

_LOG = structlog.get_logger(__name__)

_CONNECT_SECONDS = 2.0

# Between two tries while Redis is away.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0

_HEALTH_SECONDS = 30

# Wake-ups whose message was heard; arq looks at its queue before so many more have come.
_REMEMBERED = 2000


async def listen(url: str, pump: Pump, metrics: Metrics, *, poll_delay: float) -> None:
    """Take wake-ups for ever. arq ends on an outage of Redis, so it is begun anew."""
    pause = 0.1
    while True:
        redis = _redis(url)
        heard: deque[bytes] = deque(maxlen=_REMEMBERED)
        messages = asyncio.create_task(_hear(redis, pump, heard))
        worker = _worker(redis, pump, metrics, poll_delay, heard)
        started = asyncio.get_running_loop().time()
        try:
            await worker.async_run()
        except (RedisError, OSError, asyncio.CancelledError, TimeoutError) as error:
            # arq answers its own shutdown with a cancellation; ours must go through.
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            metrics.redis_up.set(0)
            _LOG.warning("wake_ups_away", error=type(error).__name__)
        finally:
            await _end(messages)
            await _close(worker, redis)
        lasted = asyncio.get_running_loop().time() - started
        pause = 0.1 if lasted > _LONGEST_PAUSE else min(_LONGEST_PAUSE, pause * 2)
        await asyncio.sleep(pause)


async def _hear(redis: ArqRedis, pump: Pump, heard: deque[bytes]) -> None:
    """Every worker hears every message; a claim that finds nothing is all that it costs. A
    connection that breaks is tried again; until then arq sees what was not heard."""
    pause = _FIRST_PAUSE
    while True:
        try:
            async with redis.pubsub(ignore_subscribe_messages=True) as messages:
                await messages.subscribe(CHANNEL)
                while True:
                    # Returns now and then, to find out whether the other end is still there.
                    message = await messages.get_message(timeout=_HEALTH_SECONDS)
                    if message is not None:
                        pause = _FIRST_PAUSE
                        heard.append(message["data"])
                        pump.poke()
        except (RedisError, OSError, TimeoutError) as error:
            if pause == _FIRST_PAUSE:
                _LOG.warning("messages_away", error=type(error).__name__)
        await asyncio.sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 2)


class _Listener(Worker):
    """Takes a wake-up that no message told for one when it sees it. Until arq has taken it and run
    its task, five round trips to Redis later, the pump has long looked."""

    _seen: frozenset[bytes] = frozenset()

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        # One that is being taken stays in the queue until its task has ended.
        seen = frozenset(job_ids)
        if (seen - self._seen).difference(self.ctx["heard"]):
            pump: Pump = self.ctx["pump"]
            pump.poke()
        self._seen = seen
        await super().start_jobs(job_ids)


def _worker(
    redis: ArqRedis, pump: Pump, metrics: Metrics, poll_delay: float, heard: deque[bytes]
) -> Worker:
    async def up(ctx: dict[Any, Any]) -> None:  # noqa: ARG001 - arq passes it by name
        metrics.redis_up.set(1)
        pump.poke()

    return _Listener(
        functions=[work],
        redis_pool=redis,
        on_startup=up,
        handle_signals=False,
        # A wake-up is taken in an instant; many at once say no more than one.
        max_jobs=20,
        job_timeout=10,
        keep_result=0,
        max_tries=1,
        poll_delay=poll_delay,
        log_results=False,
        ctx={"pump": pump, "heard": heard},
    )


def _redis(url: str) -> ArqRedis:
    """Connects when it is first used. Ours, because arq forgets the one that it is opening when
    it is cancelled."""
    pool = ConnectionPool.from_url(
        url, socket_connect_timeout=_CONNECT_SECONDS, health_check_interval=_HEALTH_SECONDS
    )
    return ArqRedis(pool)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def _close(worker: Worker, redis: ArqRedis) -> None:
    try:
        await worker.close()
    except (RedisError, OSError):
        pass
    except asyncio.CancelledError:
        # arq waits for the wake-ups that it has just cancelled; ours must go through.
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise
    finally:
        await redis.aclose(close_connection_pool=True)
