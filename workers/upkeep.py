"""Timers of the worker process. They need PostgreSQL alone and continue while Redis is away."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from app.core.errors import TwinlinkError
from app.sync.guard import held_plans
from app.sync.incidents import watch
from app.sync.monitor import verify as monitor_verify
from app.sync.recovery import adopt, restore
from app.sync.resync import poll
from app.sync.resync import walk as resync_walk
from app.sync.runtime.context import Context
from app.sync.twins import discover
from app.sync.upkeep import audit_chain, circuits, purge
from app.sync.writes import confirm, late_writes
from workers.passes import Passes

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Duty:
    """Something done again and again, `seconds` apart; an error costs one turn."""

    name: str
    seconds: float
    run_once: Callable[[], Awaitable[object]]


def duties(
    ctx: Context, passes: Passes, more: Callable[[], object], *, sweep_seconds: float
) -> list[Duty]:
    """Every duty of a worker. All may run in any number of workers at once. *more* asks for a pass
    of any worker; the sweep is one here, so that it needs no Redis."""

    async def confirm_due() -> None:
        if await confirm.run_once(ctx) + await late_writes.run_once(ctx):
            more()

    async def walk() -> None:
        while await resync_walk.run_once(ctx):
            more()

    async def discover_due() -> None:
        while await discover.run_once(ctx):
            more()

    async def apply_due() -> int:
        return await passes.beside(lambda: restore.apply_once(ctx))

    async def poll_due() -> None:
        if await poll.run_once(ctx):
            more()

    return [
        Duty("sweep", sweep_seconds, passes.run),
        Duty("confirm", min(5.0, sweep_seconds), confirm_due),
        Duty("resync", 0.5, walk),
        # Apart: reading the changelogs of a rescue must not keep an approved restore waiting.
        Duty("plan_restores", 0.5, _to_its_end(lambda: restore.plan_once(ctx), more)),
        Duty("apply_restores", 0.5, _to_its_end(apply_due, more)),
        Duty("adopt", 1.0, _to_its_end(lambda: adopt.run_once(ctx), more)),
        Duty("plans", 2.0, lambda: held_plans.run_once(ctx)),
        Duty("discover", 1.0, discover_due),
        Duty("poll", 5.0, poll_due),
        Duty("monitor", 5.0, lambda: monitor_verify.run_once(ctx)),
        Duty("compare", 60.0, lambda: poll.compare_due(ctx)),
        Duty("verify", 1.0, lambda: audit_chain.run_once(ctx)),
        Duty("circuits", 5.0, lambda: circuits.run_once(ctx)),
        Duty("incidents", 10.0, lambda: watch.run_once(ctx)),
        Duty("purge", 300.0, lambda: purge.run_once(ctx)),
        Duty("audit_heads", 3600.0, lambda: audit_chain.log_heads(ctx)),
    ]


def _to_its_end(
    run_once: Callable[[], Awaitable[object]], more: Callable[[], object]
) -> Callable[[], Awaitable[None]]:
    """Again and again while there is something to do; what was done may want a look."""

    async def run() -> None:
        while await run_once():
            more()

    return run


async def keep(duty: Duty) -> None:
    """Do *duty* for ever, with some chance in the pauses so that workers do not march."""
    while True:
        try:
            await duty.run_once()
        except TwinlinkError as error:
            _LOG.warning("upkeep_put_off", duty=duty.name, code=error.code)
        except Exception:
            _LOG.exception("upkeep_broke", duty=duty.name)
        await asyncio.sleep(duty.seconds * random.uniform(0.8, 1.2))  # noqa: S311
