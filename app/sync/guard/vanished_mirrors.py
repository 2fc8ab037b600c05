"""Mirrors that vanish by someone else's hand: counted as removals are, and put back by plan.

A person who deletes one mirror meant it: its row is detached, or the mirror made again, as the
connection says. A wave of them is an accident of another tool, so each takes a slot of the
guard's windows, once. Above the limit none is detached or made again: rows stay as they are, the
guard is latched, an incident opens, and a plan waits that would put all of the wave back.

==========================  ============================================================
the plan is approved        they come back, and are managed again where origins are there
it is rejected              they stay gone, and their rows are detached
no decision for a week      it is made again
the guard is reset          each is looked at again, under fresh windows
==========================  ============================================================

A mirror that we removed ourselves has not vanished, whatever came of the outcome; nor has one
that cannot be seen: only a proof of absence leads here.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from app.core.guard import DAY, HOUR
from app.core.incidents import SERVICE, Impact, IncidentKind
from app.core.ledger import Row, State
from app.core.plan import PlanKind
from app.store.config import active_connection, connections
from app.store.config.active_connection import Running
from app.store.guard import vanished_mirrors
from app.store.guard.vanished_mirrors import REASON, Gone
from app.store.links import ledger
from app.store.links.ledger import Change
from app.store.pool import Connection
from app.store.queue.work import Cause, raise_pairs
from app.store.recovery import restores
from app.store.recovery.restores import NewRestore
from app.store.writes.intents import Mirror
from app.sync.guard import judge
from app.sync.incidents import timeline
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)
KIND = IncidentKind.MIRRORS_VANISHED


async def admit(
    conn: Connection, ctx: Context, state: Running, gone: Sequence[Gone], now: datetime
) -> set[Mirror]:
    """Give a slot to each, in the transaction that detaches it or makes it again; answers those
    that are withheld. Under the connection's lock and that of the mirrors' sites."""
    if not gone:
        return set()
    # In the windows that began last, though the time is from before the lock, or goes back.
    now = max(now, state.guard_reset_at + timedelta(microseconds=1))
    settled = await vanished_mirrors.settled(conn, gone)
    asked = sorted((it for it in gone if it.mirror not in settled), key=lambda it: it.mirror)
    if not asked:
        return set()
    allowance = await judge.room(conn, state, [it.mirror[0] for it in asked], now)
    counted, withheld = asked[: allowance.granted], asked[allowance.granted :]
    await vanished_mirrors.put(conn, state.id, counted, now, counted=True)
    fresh = await vanished_mirrors.put(conn, state.id, withheld, now, counted=False)
    ctx.metrics.mirrors_vanished.labels(state.name, "counted").inc(len(counted))
    ctx.metrics.mirrors_vanished.labels(state.name, "withheld").inc(fresh)
    if allowance.tripped_by is not None:
        await judge.trip(conn, state, allowance.tripped_by, now)
    if fresh:
        await _tell(conn, state, now)
    return {it.mirror for it in withheld}


async def _tell(conn: Connection, state: Running, now: datetime, **more: int) -> None:
    found = await vanished_mirrors.figures(conn, state.id, _wave(state, now, DAY))
    detail: dict[str, str | int] = {"vanished": found.counted, "withheld": found.withheld, **more}
    if found.first is not None and found.last is not None:
        detail |= {"first_seen": _at(found.first), "last_seen": _at(found.last)}
    await timeline.open_or_note(
        conn, KIND, connection_id=state.id, now=now, detail=detail, impact=Impact.MINOR
    )


def _at(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _wave(state: Running, now: datetime, seconds: int) -> datetime:
    """Since when what was counted belongs to what tripped the guard."""
    began = (state.guard_tripped_at or now) - timedelta(seconds=seconds)
    return max(began, state.guard_reset_at)


async def run_once(ctx: Context) -> int:
    """Plan to put back what was withheld half a minute ago, with all that came since; answers
    how many plans were begun."""
    async with ctx.database.connection() as conn:
        ripe = await vanished_mirrors.ripe(conn, ctx.clock())
    return sum([await _plan(ctx, connection_id) for connection_id in ripe])


async def _plan(ctx: Context, connection_id: int) -> int:
    async with ctx.database.transaction() as conn:
        state, now = await active_connection.lock(conn, connection_id), ctx.clock()
        if state is None or connection_id not in await vanished_mirrors.ripe(conn, now):
            return 0
        row = await connections.by_id(conn, connection_id)
        by_day = row is not None and row.guard_trip_reason == "day"
        since = _wave(state, now, DAY if by_day else HOUR)
        plan_id = await restores.begin_plan(
            conn, PlanKind.RESTORE, state.id, reason=REASON, now=now
        )
        links = await vanished_mirrors.plan(conn, plan_id, state.id, since, now)
        asked = {"connection": state.name, "vanished": True}
        new = NewRestore(PlanKind.RESTORE, asked, "restore", SERVICE)
        await restores.insert(conn, plan_id, new, now=now)
        await _tell(conn, state, now, restore_plan=plan_id)
    _LOG.warning("vanished_planned", connection=state.name, plan=plan_id, links=links)
    return 1


async def keep_gone(conn: Connection, connection_id: int, plan_id: int, now: datetime) -> None:
    """The plan that would put them back is rejected: their rows are detached, without a slot,
    since a person decided. Any other plan holds none."""
    gone = dict(await vanished_mirrors.of_plan(conn, plan_id))
    rows = await ledger.by_keys(conn, connection_id, list(gone))
    for row in sorted(rows.values(), key=lambda it: it.id):
        if row.state is State.MANAGED and row.mirror_id == gone[row.key]:
            await ledger.change(conn, _without_mirror(row), now=now)
    await vanished_mirrors.decided(conn, plan_id)


def _without_mirror(row: Row) -> Change:
    origin = row.link_on(row.origin)
    left, right = row.origin.order(origin, None)
    return Change(
        row=row,
        state=State.DETACHED,
        left_link=left,
        right_link=right,
        reason="rejected",
    )


async def look_again(conn: Connection, connection_id: int, now: datetime) -> None:
    """The guard is armed: what was withheld is judged by what both sites show now."""
    twins = await vanished_mirrors.release(conn, connection_id)
    cause = Cause("plan", "guard_armed")
    await raise_pairs(conn, connection_id, twins, cause=cause, now=now, bulk=True)
