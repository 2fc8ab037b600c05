"""A worker process: pump, wake-ups, timers, probes, and a stop that loses nothing."""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

import structlog

from app.core.errors import TransientError
from app.process.gc_tuning import settle_heap
from app.process.stop import leave_within
from app.settings import Settings
from app.sync.incidents import notify
from app.sync.reconcile.loop import Pass, run_once
from app.sync.runtime.database_clock import DatabaseClock
from app.sync.upkeep.installation import InstallationWatch
from app.wiring import Services, open_services
from workers import probes, upkeep, wakes
from workers.pump import Pump

_LOG = structlog.get_logger(__name__)

# An orchestrator kills after thirty seconds; what is under way has ended before.
DRAIN_SECONDS = 25.0
# To close what is open, once nothing is under way or nobody wants to wait for it.
_CLOSE_SECONDS = 3.0


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; a second one stops at once. Both lose nothing."""
    try:
        import uvloop  # noqa: PLC0415

        uvloop.run(_main(settings))
    except ImportError:
        asyncio.run(_main(settings))


async def _main(settings: Settings) -> None:
    stop = Stop()
    stop.listen()
    async with open_services(settings) as services:
        await serve(services, stop)


class Stop:
    """The first signal asks for a drain, the second ends it. A hanging database cannot keep a
    process that was asked by a signal."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.now = asyncio.Event()

    def listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._hear)

    def _hear(self) -> None:
        leave_within(_CLOSE_SECONDS + (0 if self.asked.is_set() else DRAIN_SECONDS))
        self.signal()

    def signal(self) -> None:
        (self.now if self.asked.is_set() else self.asked).set()


async def serve(services: Services, stop: Stop) -> None:
    """One worker on these services until *stop* asks."""
    settings, ctx = services.settings, services.context

    async def one_pass() -> Pass:
        return await run_once(ctx, size=settings.claim_size, lease=settings.lease_seconds)

    watch = InstallationWatch(ctx, settings.installation)
    with suppress(TransientError):  # the permit stays refused until a look succeeds
        await watch.run_once()
    pump = Pump(one_pass, runners=settings.worker_concurrency, size=settings.claim_size)
    async with AsyncExitStack() as stack:
        tasks = [
            asyncio.create_task(upkeep.keep(duty))
            for duty in (
                *upkeep.duties(ctx, pump, sweep_seconds=settings.sweep_seconds),
                upkeep.Duty("installation", 60.0, watch.run_once),
                upkeep.Duty("notify", 2.0, lambda: notify.run_once(ctx, services.targets)),
            )
        ]
        if settings.redis_url is not None:
            url = settings.redis_url.get_secret_value()
            delay = settings.poll_delay_seconds
            listening = wakes.listen(url, pump, services.metrics, poll_delay=delay)
            tasks.append(asyncio.create_task(listening))
        if isinstance(services.clock, DatabaseClock):
            tasks.append(asyncio.create_task(upkeep.keep(_clock_duty(services, services.clock))))
        if settings.worker_port is not None:
            tasks.append(asyncio.create_task(probes.server(ctx, settings.worker_port).serve()))
        stack.push_async_callback(_cancel, tasks)
        settle_heap()
        pump.start()
        _LOG.info("worker_started", engine=services.engine, runners=settings.worker_concurrency)
        await stop.asked.wait()
        _LOG.info("worker_stopping", drain_seconds=DRAIN_SECONDS)
        drain = asyncio.create_task(pump.stop(DRAIN_SECONDS))
        at_once = asyncio.create_task(stop.now.wait())
        await asyncio.wait({drain, at_once}, return_when=asyncio.FIRST_COMPLETED)
        if not drain.done():
            await pump.stop(0)
        await _cancel([drain, at_once])
    _LOG.info("worker_stopped")


def _clock_duty(services: Services, clock: DatabaseClock) -> upkeep.Duty:
    return upkeep.Duty("clock", 60.0, lambda: clock.refresh(services.database))


async def _cancel(tasks: Sequence["asyncio.Task[Any]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
