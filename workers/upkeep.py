"""Timers of the worker process. They need PostgreSQL alone and continue while Redis is away.

A `Duty` is each worker's own. A `Shared` one is the installation's: whatever the number of workers,
one of them does it when it is due, and what it costs while nothing is to do does not grow with
them (see `store.upkeep.duties`).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from app.core.errors import TwinlinkError
from app.store.upkeep import duties as stored
from app.store.upkeep.duties import Pace
from app.sync.connections import rehome_apply
from app.sync.discovery import discover
from app.sync.guard import held_plans
from app.sync.incidents import notify, watch
from app.sync.incidents.notify import Targets
from app.sync.monitor import verify as monitor_verify
from app.sync.recovery import adopt, restore
from app.sync.resync import poll
from app.sync.resync import walk as resync_walk
from app.sync.runtime.context import Context
from app.sync.upkeep import audit_chain, circuits, purge
from app.sync.writes import confirm, late_writes
from workers.passes import Passes

_LOG = structlog.get_logger(__name__)


Turn = Callable[[], Awaitable[object]]

# Of all workers together, at most; a few ask as often as the shortest gap.
_ASKS_A_SECOND = 8.0
_SHORTEST = 0.5
# The net below what duties wait for.
_NET = 120.0


@dataclass(frozen=True, slots=True)
class Duty:
    """Something done again and again, `seconds` apart; an error costs one turn."""

    name: str
    seconds: float
    run_once: Turn


@dataclass(frozen=True, slots=True)
class Shared:
    """Something that one worker does at a time when it is due. Several may be doing it, if one
    takes longer than its gap."""

    pace: Pace
    run_once: Turn

    @property
    def duty(self) -> Duty:
        return Duty(self.pace.name, self.pace.every, self.run_once)


def duties(ctx: Context, passes: Passes, *, sweep_seconds: float) -> list[Duty]:
    """What each worker does by itself: the sweep needs no Redis, and what this process has seen of
    a site no other one can say."""
    return [
        Duty("sweep", sweep_seconds, passes.run),
        Duty("circuits", 5.0, lambda: circuits.run_once(ctx, suspected=True)),
    ]


def shared(
    ctx: Context,
    passes: Passes,
    more: Callable[[], object],
    targets: Callable[[], Targets],
    *,
    sweep_seconds: float,
) -> list[Shared]:
    """What the installation has to do. *more* asks for a pass of any worker."""

    async def confirm_due() -> None:
        if await confirm.run_once(ctx) + await late_writes.run_once(ctx):
            more()

    async def apply_due() -> int:
        return await passes.beside(lambda: restore.apply_once(ctx))

    async def poll_due() -> None:
        if await poll.run_once(ctx):
            more()

    def end(run_once: Turn) -> Callable[[], Awaitable[None]]:
        return _to_its_end(run_once, more)

    return [
        Shared(Pace("confirm", _NET, min(5.0, sweep_seconds)), confirm_due),
        Shared(Pace("resync", _NET, 0.5), end(lambda: resync_walk.run_once(ctx))),
        # Apart: reading the changelogs of a rescue must not keep an approved restore waiting.
        Shared(Pace("plan_restores", _NET, 0.5), end(lambda: restore.plan_once(ctx))),
        Shared(Pace("apply_restores", _NET, 0.5), end(apply_due)),
        Shared(Pace("adopt", _NET, 1.0), end(lambda: adopt.run_once(ctx))),
        # Seldom asked for: its net need not cost a minute what the others do.
        Shared(Pace("rehome", 3600.0, 1.0), end(lambda: rehome_apply.run_once(ctx))),
        Shared(Pace("plans", _NET, 2.0), lambda: held_plans.run_once(ctx)),
        Shared(Pace("discover", _NET, 1.0), end(lambda: discover.run_once(ctx))),
        Shared(Pace("poll", _NET, 5.0), poll_due),
        Shared(Pace("notify", _NET, 2.0), lambda: notify.run_once(ctx, targets())),
        Shared(Pace("verify", _NET, 1.0), lambda: audit_chain.run_once(ctx)),
        Shared(Pace("circuits", _NET, 5.0), lambda: circuits.run_once(ctx)),
        Shared(Pace("monitor", 5.0), lambda: monitor_verify.run_once(ctx)),
        Shared(Pace("incidents", 10.0), lambda: watch.run_once(ctx)),
        Shared(Pace("compare", 60.0), lambda: poll.compare_due(ctx)),
        Shared(Pace("purge", 300.0), lambda: purge.run_once(ctx)),
        Shared(Pace("audit_heads", 3600.0), lambda: audit_chain.log_heads(ctx)),
    ]


class Rota:
    """The shared duties, as one worker takes its turns at them. *workers* answers how many live;
    *guarded* keeps a turn from being taken while this worker must not work."""

    def __init__(
        self,
        ctx: Context,
        duties: Sequence[Shared],
        workers: Callable[[], int] = lambda: 1,
        guarded: Callable[[Turn], Turn] = lambda turn: turn,
    ) -> None:
        self._ctx = ctx
        self._duties = {it.pace.name: it for it in duties}
        self._workers = workers
        self._turn = Duty("rota", 0, guarded(self.turn))
        self._doing: dict[str, asyncio.Task[None]] = {}
        self._known = False

    async def keep(self) -> None:
        """Take what is due, for ever; what is being done ends with it."""
        try:
            while True:
                await do(self._turn)
                await asyncio.sleep(self.pause * random.uniform(0.8, 1.2))  # noqa: S311
        finally:
            for task in self._doing.values():
                task.cancel()
            await asyncio.gather(*self._doing.values(), return_exceptions=True)

    async def turn(self) -> list[str]:
        """Begin what is due and what this worker is not doing still; answers its names."""
        self._doing = {name: task for name, task in self._doing.items() if not task.done()}
        paces = [it.pace for it in self._duties.values()]
        async with self._ctx.database.connection() as conn:
            now = self._ctx.clock()
            if not self._known:
                await stored.know(conn, list(self._duties), now)
                self._known = True
            names = await stored.take(conn, paces, now, but=self._doing)
        for name in names:
            self._doing[name] = asyncio.create_task(do(self._duties[name].duty))
        return names

    async def done(self) -> None:
        """Wait until what has begun is over."""
        await asyncio.gather(*self._doing.values())

    @property
    def pause(self) -> float:
        """Seconds between two turns: the more workers live, the more."""
        return max(_SHORTEST, self._workers() / _ASKS_A_SECOND)


def _to_its_end(run_once: Turn, more: Callable[[], object]) -> Callable[[], Awaitable[None]]:
    """Again and again while there is something to do; what was done may want a look."""

    async def run() -> None:
        while await run_once():
            more()

    return run


async def keep(duty: Duty) -> None:
    """Do *duty* for ever, with some chance in the pauses so that workers do not march."""
    while True:
        await do(duty)
        await asyncio.sleep(duty.seconds * random.uniform(0.8, 1.2))  # noqa: S311


async def do(duty: Duty) -> None:
    """One turn of it. What goes wrong is logged, and the next turn comes."""
    try:
        await duty.run_once()
    except TwinlinkError as error:
        _LOG.warning("upkeep_put_off", duty=duty.name, code=error.code)
    except Exception:
        _LOG.exception("upkeep_broke", duty=duty.name)
