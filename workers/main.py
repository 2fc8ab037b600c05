"""A worker process: arq's jobs, timers, probes, and a stop that loses nothing.

`twinlink worker` outlives a Redis that is away. `arq workers.main.WorkerSettings` starts one as
well, which ends with Redis, as arq does, and `arq --check workers.main.WorkerSettings` says whether
one runs on this machine.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import structlog
from arq.connections import RedisSettings

from app.core.errors import TransientError
from app.process.gc_tuning import settle_heap
from app.process.stop import Stop
from app.settings import Problem, Settings, SettingsError, load_settings
from app.sync.incidents import notify
from app.sync.reconcile.engine_watch import EngineWatch
from app.sync.reconcile.loop import Pass, run_once
from app.sync.runtime.database_clock import DatabaseClock
from app.sync.upkeep import secrets_watch
from app.sync.upkeep.installation import InstallationWatch
from app.sync.upkeep.presence import Presence
from app.sync.upkeep.schema_watch import SchemaWatch
from app.telemetry import configure_logging
from app.wiring import Services, open_services
from workers import pool, probes, upkeep
from workers.passes import Passes

_LOG = structlog.get_logger(__name__)

# An orchestrator kills after thirty seconds; what is under way has ended before.
DRAIN_SECONDS = 25
# To close what is open, once nothing is under way or no one wants to wait for it.
_CLOSE_SECONDS = 3.0
# Between two looks at the schema. A claim and an intent ask by themselves.
_SCHEMA_SECONDS = 3.0


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; a second one stops at once. Both lose nothing."""
    try:
        import uvloop  # noqa: PLC0415

        uvloop.run(_main(settings))
    except ImportError:
        asyncio.run(_main(settings))


async def _main(settings: Settings) -> None:
    stop = Stop()
    stop.listen(first=DRAIN_SECONDS + _CLOSE_SECONDS, second=_CLOSE_SECONDS)
    async with open_services(settings) as services:
        await serve(services, stop)


async def serve(services: Services, stop: Stop) -> None:
    """One worker on these services until *stop* asks."""
    async with working(services) as passes:
        url, taking = services.settings.redis_url, []
        if url is not None:
            jobs = pool.keep_taking_jobs(
                services.settings, url.get_secret_value(), passes, services.metrics
            )
            taking = [asyncio.create_task(jobs)]
        await stop.asked.wait()
        _LOG.info("worker_stopping", drain_seconds=DRAIN_SECONDS)
        await _cancel(taking)
        drain = asyncio.create_task(passes.end(DRAIN_SECONDS))
        insisted = asyncio.create_task(stop.insisted.wait())
        await asyncio.wait({drain, insisted}, return_when=asyncio.FIRST_COMPLETED)
        await _cancel([insisted, drain])
    _LOG.info("worker_stopped")


@asynccontextmanager
async def working(services: Services) -> AsyncIterator[Passes]:
    """What a worker does by itself, on PostgreSQL alone, and the passes that its jobs ask for."""
    settings, ctx = services.settings, services.context

    size, lease = settings.claim_size, settings.lease_seconds

    async def one_pass(full: Callable[[], object]) -> Pass:
        return await run_once(ctx, size=size, lease=lease, full=full)

    schema = SchemaWatch(ctx)
    watch = InstallationWatch(ctx, settings.installation)
    engine, presence = EngineWatch(ctx), Presence(ctx)
    beginning = [watch.run_once, engine.run_once, presence.run_once]
    with suppress(TransientError):  # the permit stays refused until a look succeeds
        await _look(schema, beginning)
    passes = Passes(one_pass, services.wake.soon, most=settings.worker_concurrency)
    services.wake.missed = passes.begin
    duties = [
        *upkeep.duties(ctx, passes, sweep_seconds=settings.sweep_seconds),
        upkeep.Duty("installation", 60.0, watch.run_once),
        upkeep.Duty("presence", 10.0, presence.run_once),
        upkeep.Duty("engine", 10.0, engine.run_once),
        upkeep.Duty("secrets", 60.0, lambda: _secrets(services)),
    ]
    duties = [replace(it, run_once=schema.guarded(it.run_once)) for it in duties]
    duties += [
        upkeep.Duty("schema", _SCHEMA_SECONDS, lambda: _look(schema, beginning)),
        upkeep.Duty("notify", 2.0, schema.unfit(lambda: notify.run_once(ctx, services.targets))),
    ]
    if isinstance(services.clock, DatabaseClock):
        duties.append(_clock_duty(services, services.clock))
    tasks = [asyncio.create_task(upkeep.keep(duty)) for duty in duties]
    tasks.append(asyncio.create_task(_rota(services, passes, schema, presence).keep()))
    if settings.worker_port is not None:
        server = probes.server(ctx, settings.host, settings.worker_port, settings.metrics_token)
        tasks.append(asyncio.create_task(server.serve()))
    settle_heap()
    _LOG.info("worker_started", engine=services.engine, passes=settings.worker_concurrency)
    try:
        yield passes
    finally:
        await passes.end(0)
        await _cancel(tasks)
        with suppress(TransientError):
            await presence.end()


def _rota(
    services: Services, passes: Passes, schema: SchemaWatch, presence: Presence
) -> upkeep.Rota:
    """This worker's part in what the installation has to do."""
    shared = upkeep.shared(
        services.context,
        passes,
        services.wake.soon,
        lambda: services.targets,
        sweep_seconds=services.settings.sweep_seconds,
    )
    return upkeep.Rota(services.context, shared, lambda: presence.workers, schema.guarded)


async def _look(schema: SchemaWatch, beginning: Sequence[Callable[[], Awaitable[object]]]) -> None:
    """Where the schema begins to fit, also what a worker does first."""
    fitted = schema.fits
    if await schema.run_once() and not fitted:
        for run_once in beginning:
            await run_once()


async def _secrets(services: Services) -> None:
    """Also binds those of earlier versions, where nothing has needed one yet."""
    await services.binding.ensure()
    await secrets_watch.run_once(services.context, services.vault)


def _clock_duty(services: Services, clock: DatabaseClock) -> upkeep.Duty:
    return upkeep.Duty("clock", 60.0, lambda: clock.refresh(services.database))


async def _cancel(tasks: Sequence["asyncio.Task[Any]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def __getattr__(name: str) -> Any:
    """`WorkerSettings`, made when arq asks for it: importing this module reads no environment."""
    if name != "WorkerSettings":
        raise AttributeError(name)
    return _for_arq(load_settings())


def _for_arq(settings: Settings) -> dict[str, Any]:
    """The keyword arguments with which arq makes its worker."""
    if settings.redis_url is None:
        raise SettingsError((Problem("TWINLINK_REDIS_URL", "is where arq's jobs are: set it"),))

    async def begin(ctx: dict[Any, Any]) -> None:
        configure_logging(settings.log_level, settings.log_format)
        stack = ctx["stack"] = AsyncExitStack()
        services = await stack.enter_async_context(open_services(settings))
        ctx["passes"] = await stack.enter_async_context(working(services))

    async def end(ctx: dict[Any, Any]) -> None:
        stack: AsyncExitStack = ctx["stack"]
        passes: Passes = ctx["passes"]
        async with stack:
            await passes.end(DRAIN_SECONDS)

    return {
        **pool.options(settings),
        "redis_settings": RedisSettings.from_dsn(settings.redis_url.get_secret_value()),
        "on_startup": begin,
        "on_shutdown": end,
        "job_completion_wait": DRAIN_SECONDS,
    }
