"""Carrying re-homings out: pair, judge every row, seal the plan; once it is approved, take over.

Each row is judged again before it is taken over, under the locks of both connections: the former
row goes and the successor's comes in one transaction, both written into the audit. When nothing is
open any more the successor goes on, in review, and everything is compared. No write to Jira follows
from any of this by itself.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from app.core.errors import PermanentError, TransientError
from app.core.ledger import Authorship, State
from app.core.links import LinkId, Side
from app.core.operations import Operation, Status
from app.core.plan import PlanStatus
from app.store.config import active_connection, connections
from app.store.config.active_connection import Running
from app.store.guard import held_plans, lost_removals
from app.store.links import ledger, twins
from app.store.links.ledger import NewRow
from app.store.pool import Connection
from app.store.queue.work import Cause
from app.store.recovery import rehomings
from app.store.recovery.rehomings import Rehoming
from app.store.writes import audit, plans, written_links
from app.store.writes.audit_entry import entry
from app.sync.connections.rehome import PAUSED_BY
from app.sync.connections.rehome_judge import Carry, Leave
from app.sync.connections.rehome_read import Case, Move, examine
from app.sync.resync import walk
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)

PAGE = 100
LEASE = timedelta(minutes=5)
AGAIN = timedelta(seconds=5)


async def run_once(ctx: Context) -> int:
    """Take every re-homing that is due a page further, until none is; how many pages were."""
    pages = 0
    while True:
        async with ctx.database.transaction() as conn:
            it = await rehomings.claim(conn, now=ctx.clock(), lease=LEASE)
        if it is None:
            return pages
        try:
            await _further(ctx, it)
            again = None
            pages += 1
        except (TransientError, PermanentError) as error:
            if error.code == "database_unavailable":
                raise
            _LOG.warning("rehoming_put_off", rehoming=it.id, code=error.code)
            again = ctx.clock() + AGAIN
        async with ctx.database.transaction() as conn:
            await rehomings.let_go(conn, it, again)


async def _further(ctx: Context, it: Rehoming) -> None:
    async with ctx.database.connection() as conn:
        former = await active_connection.load(conn, it.former_id)
        successor = await active_connection.load(conn, it.connection_id)
    if former is None or successor is None:
        await _give_up(ctx, it)
    elif not it.planning:
        await _apply(ctx, it, former, successor)
    elif not it.twins_paired:
        await _pair(ctx, it, successor)
    else:
        await _plan(ctx, it, former, successor)


async def _pair(ctx: Context, it: Rehoming, successor: Running) -> None:
    """A page of twins: those whose key the new site knows are twins of the successor."""
    async with ctx.database.connection() as conn:
        found = await rehomings.pairs(conn, it.former_id, it.side, after=it.twin_cursor, limit=PAGE)
        known = await twins.by_ids(conn, it.former_id, [twin for twin, _ in found])
    client = await ctx.sites.client(successor.site(it.side))
    await client.assure()
    views = await client.resolve_keys(rehomings.keys(found))
    projects = successor.config.end(it.side).projects
    sites = (successor.left_site, successor.right_site)
    async with ctx.database.transaction() as conn:
        await active_connection.lock_any(conn, it.connection_id)
        if not await rehomings.holds(conn, it):
            return
        for twin, key in found:
            view = views.get(key)
            if view is None or view.project not in projects or twin not in known:
                continue
            stays = known[twin].on(it.side.other)
            left, right = it.side.order(view.ref, stays)
            await twins.insert(
                conn, it.connection_id, sites, left, right, source="api", now=ctx.clock()
            )
        last = found[-1][0] if found else it.twin_cursor
        await rehomings.advance_twins(conn, it, last, over=len(found) < PAGE)


async def _plan(ctx: Context, it: Rehoming, former: Running, successor: Running) -> None:
    """A page of rows into the plan; after the last one the plan is sealed."""
    async with ctx.database.connection() as conn:
        rows = await rehomings.rows_of(conn, it.former_id, after=it.row_cursor, limit=PAGE)
    if not rows:
        await _seal(ctx, it)
        return
    move, cases = await examine(ctx, former, successor, it.side, rows)
    async with ctx.database.transaction() as conn:
        await active_connection.lock_any(conn, it.connection_id)
        plan = await held_plans.lock(conn, it.plan_id)
        gathers = plan is not None and plan.status is PlanStatus.GATHERING
        if gathers and await rehomings.holds(conn, it):
            changes = [move.planned(case) for case in cases]
            await plans.put(conn, it.plan_id, changes, now=ctx.clock())
            left = {
                case.row.id: f"skipped:{case.verdict.reason}"
                for case in cases
                if isinstance(case.verdict, Leave)
            }
            await rehomings.close(conn, it.plan_id, left)
            await rehomings.advance_rows(conn, it, rows[-1].id)


async def _seal(ctx: Context, it: Rehoming) -> None:
    async with ctx.database.transaction() as conn:
        now = ctx.clock()
        await active_connection.lock_any(conn, it.connection_id)
        plan = await held_plans.lock(conn, it.plan_id)
        if plan is None or plan.status is not PlanStatus.GATHERING:
            return
        if not await rehomings.holds(conn, it):
            return
        value = await held_plans.value(conn, it.plan_id)
        await held_plans.seal(conn, it.plan_id, value.digest, now)
        await rehomings.sealed(conn, it, now)
    _LOG.warning("rehoming_planned", rehoming=it.id, plan=it.plan_id, **value.counts)


async def _apply(ctx: Context, it: Rehoming, former: Running, successor: Running) -> None:
    """A page of rows; the former connection writes nothing from its first one on."""
    async with ctx.database.transaction() as conn:
        await connections.set_paused(conn, former.id, at=ctx.clock(), by=PAUSED_BY)
        asked = await rehomings.agreed(conn, it.plan_id, limit=PAGE)
        rows = [row for one in asked if (row := await ledger.by_id(conn, one)) is not None]
    if not asked:
        await _end(ctx, it, successor)
        return
    move, cases = await examine(ctx, former, successor, it.side, rows)
    results = dict.fromkeys(asked, "skipped:changed")
    async with ctx.database.transaction() as conn:
        for connection in sorted((former.id, successor.id)):
            await active_connection.lock(conn, connection)
        plan = await held_plans.lock(conn, it.plan_id)
        if plan is None or plan.status is not PlanStatus.APPLYING:
            return
        if not await rehomings.holds(conn, it):
            return
        for case in cases:
            results[case.row.id] = await _take_over(conn, ctx, it, move, case)
        await rehomings.close(conn, it.plan_id, results)


async def _take_over(conn: Connection, ctx: Context, it: Rehoming, move: Move, case: Case) -> str:
    """How it ended. A row that changed, or whose link is being written, waits for the next plan."""
    verdict, key, row = case.verdict, case.key, case.row
    if isinstance(verdict, Leave) or key is None:
        return f"skipped:{verdict.reason if isinstance(verdict, Leave) else 'issue_not_moved'}"
    look = move.successor
    places = [look.physical(key, side) for side in Side]
    if await written_links.open_at(conn, places):
        return "skipped:being_written"
    there = await ledger.by_key(conn, look.running.id, key)
    if there is not None and there.state not in (State.PREEXISTING, State.DETACHED):
        return "skipped:managed_here"
    if there is not None:
        await ledger.forget(conn, there)
    if not await ledger.forget(conn, row):
        return "skipped:changed"
    now = ctx.clock()
    await ledger.insert(conn, look.running.id, _new_row(move, case, verdict), now=now)
    if row.mirror_id is not None:
        mirror = (move.former.running.site(row.mirror), row.mirror_id)
        await lost_removals.end(conn, move.former.running.id, {mirror: "moved"}, now)
    if verdict.state is State.MANAGED:
        await _write_down(conn, ctx, it, move, case, now)
    return "applied:rehomed"


def _new_row(move: Move, case: Case, verdict: Carry) -> NewRow:
    look, row = move.successor, case.row
    assert case.key is not None
    types = look.pair_types(case.key)
    assert types is not None
    links: tuple[LinkId | None, LinkId | None] = move.side.order(verdict.moved, verdict.stayed)
    managed = verdict.state is State.MANAGED
    return NewRow(
        key=case.key,
        right_type=types.right.id,
        place=look.place(case.key, row.mirror),
        origin=row.origin,
        state=verdict.state,
        left_link=links[0],
        right_link=links[1],
        authorship=Authorship.OURS if managed else None,
        reason="rehomed",
    )


async def _write_down(
    conn: Connection, ctx: Context, it: Rehoming, move: Move, case: Case, now: datetime
) -> None:
    """Into the audit of both: the one lets go what the other takes over."""
    cause = Cause("plan", str(it.plan_id))
    change = move.planned(case)
    let_go = move.planned(Case(case.row, None, Leave("rehomed")))
    written = (
        (move.former.running, Operation.RELEASE, let_go, False),
        (move.successor.running, Operation.ADOPT, change, True),
    )
    for running, operation, planned, managed in written:
        made = entry(
            running,
            case.row.mirror,
            operation,
            Status.APPLIED,
            link_id=planned.link_id,
            type_id=planned.type_id,
            source=planned.source,
            destination=planned.destination,
            managed=managed,
            cause=cause,
            plan_id=it.plan_id,
            evidence={**planned.evidence, "reason": "rehomed", "rehoming": str(it.id)},
            actor=it.approver,
        )
        await audit.append(conn, running.id, running.name, [made], engine=ctx.engine, now=now)


async def _end(ctx: Context, it: Rehoming, successor: Running) -> None:
    """Everything is decided: the successor goes on, and looks at all its twins."""
    async with ctx.database.transaction() as conn:
        await active_connection.lock(conn, successor.id)
        await held_plans.finish(conn, it.plan_id)
        row = await connections.by_id(conn, successor.id)
        if row is not None and row.paused_by == PAUSED_BY:
            await connections.set_paused(conn, successor.id, at=None, by=None)
        await walk.enqueue(
            conn,
            successor.id,
            twin_ids=None,
            dry_run=False,
            requested_by=it.approver,
            now=ctx.clock(),
            cause="revision",
        )
    _LOG.warning("rehomed", rehoming=it.id, plan=it.plan_id)


async def _give_up(ctx: Context, it: Rehoming) -> None:
    """One of the connections was deleted."""
    async with ctx.database.transaction() as conn:
        await active_connection.lock_any(conn, it.connection_id)
        asked: Sequence[int] = await rehomings.agreed(conn, it.plan_id, limit=1_000_000)
        await rehomings.close(conn, it.plan_id, dict.fromkeys(asked, "skipped:connection_deleted"))
        note = "a connection was deleted"
        await held_plans.decide(
            conn, it.plan_id, PlanStatus.EXPIRED, by="twinlink", note=note, now=ctx.clock()
        )
