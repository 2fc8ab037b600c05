"""Resyncs: look at all twins of a connection, or at some, in flat memory.

A walk raises bulk work page by page and keeps a bounded number of pairs outstanding; every
worker helps to look at them. A dry run reads and decides by itself, writes nothing, and leaves
a plan.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from app.core.diff import Wait
from app.core.errors import PermanentError, TransientError
from app.core.plan import PlanKind
from app.store.config import active_connection, revisions
from app.store.config.active_connection import Running
from app.store.links import twins
from app.store.pool import Connection, Database
from app.store.queue import resyncs
from app.store.queue.resyncs import Resync, ResyncStatus
from app.store.queue.work import Cause, Claimed, raise_pairs
from app.store.writes import plans, shadow_revisions
from app.sync.discovery import discover
from app.sync.discovery.scan_fields import enlist
from app.sync.reconcile.decided_writes import proposals_for
from app.sync.reconcile.loop import decisions_for
from app.sync.resync import shadow
from app.sync.runtime.context import Context
from app.sync.writes.proposal import planned

_LOG = structlog.get_logger(__name__)

PAGE = 100
# Enough to keep every worker busy, and a bound for what a cancel has to wait for.
OUTSTANDING = 2000
# How soon a walk that waits for its pairs looks again.
POLL = timedelta(seconds=0.5)
# One page of a search, or one batch of claims, with the rate budget at its tightest.
ENLIST_LEASE = timedelta(minutes=2)


async def request(
    database: Database,
    connection_id: int,
    *,
    twin_ids: Sequence[int] | None,
    dry_run: bool,
    requested_by: str,
    now: datetime,
    cause: str = "request",
) -> int:
    """Queue a resync; answers its id. A whole one that has not begun yet is joined."""
    async with database.transaction() as conn:
        return await enqueue(
            conn,
            connection_id,
            twin_ids=twin_ids,
            dry_run=dry_run,
            requested_by=requested_by,
            now=now,
            cause=cause,
        )


async def enqueue(
    conn: Connection,
    connection_id: int,
    *,
    twin_ids: Sequence[int] | None,
    dry_run: bool,
    requested_by: str,
    now: datetime,
    cause: str,
) -> int:
    """`request` in a transaction of the caller's."""
    if twin_ids is None and not dry_run:
        queued = await resyncs.waiting(conn, connection_id)
        if queued is not None:
            return queued
    total = len(set(twin_ids)) if twin_ids is not None else await twins.count(conn, connection_id)
    return await resyncs.insert(
        conn,
        connection_id,
        twin_ids=twin_ids,
        dry_run=dry_run,
        cause=cause,
        requested_by=requested_by,
        total=total,
        now=now,
    )


async def run_once(ctx: Context, *, lease: float = 60.0) -> bool:
    """Take one resync a step further. False: none is due."""
    async with ctx.database.transaction() as conn:
        resync = await resyncs.claim(conn, now=ctx.clock(), lease=lease)
        if resync is None:
            return False
        state = await active_connection.load(conn, resync.connection_id)
    if state is None:
        await _finish(ctx, resync, ResyncStatus.CANCELLED, "connection_deleted")
    elif resync.cancel_requested:
        await _finish(ctx, resync, ResyncStatus.CANCELLED, "")
    elif resync.revision is not None:
        await _trial_page(ctx, state, resync, resync.revision)
    elif resync.dry_run:
        await _dry_page(ctx, state, resync)
    else:
        await _raise_page(ctx, state, resync)
    return True


async def _raise_page(ctx: Context, state: Running, resync: Resync) -> None:
    whole = resync.twin_ids is None and resync.cursor == 0
    if whole and state.config.twins.source == "field" and not await _enlist(ctx, state, resync):
        return
    async with ctx.database.transaction() as conn:
        await resyncs.clear_ended(conn, resync.id)
    async with ctx.database.transaction() as conn:
        # Work rows are locked before the resync's own, as a settlement does.
        outstanding = await resyncs.outstanding(conn, resync.id)
        room = OUTSTANDING - outstanding
        # Whole pages, so that each claim of them is one bulk read on either side.
        limit = min(room // PAGE, 10) * PAGE
        page = await _page(conn, resync, limit) if limit else []
        if page:
            cause = Cause("resync", str(resync.id))
            raised = await raise_pairs(
                conn, state.id, page, cause=cause, now=ctx.clock(), bulk=True
            )
            await resyncs.advance(conn, resync, page[-1], raised)
            await resyncs.let_go(conn, resync, due=ctx.clock() - POLL)
        elif outstanding:
            await resyncs.let_go(conn, resync, due=ctx.clock() + POLL)
    if not page and not outstanding:
        await _finish(ctx, resync, ResyncStatus.SUCCEEDED, "")


async def _enlist(ctx: Context, state: Running, resync: Resync) -> bool:
    """Before the walk: pair what the twin field claims, or unpair what it no longer does.
    False if the site failed for now: the walk then begins later."""

    async def renew() -> None:
        async with ctx.database.connection() as conn:
            await resyncs.let_go(conn, resync, due=ctx.clock() + ENLIST_LEASE)

    try:
        await enlist(ctx, state, renew)
    except TransientError as error:
        _LOG.warning("enlist_put_off", connection=state.name, code=error.code)
        async with ctx.database.connection() as conn:
            await resyncs.let_go(conn, resync, due=ctx.clock() + timedelta(seconds=5))
        return False
    except PermanentError as error:
        # The pairs that are there are worth a look all the same.
        _LOG.warning("enlist_refused", connection=state.name, code=error.code)
    while await discover.run_once(ctx, connection_id=state.id):
        await renew()
    async with ctx.database.transaction() as conn:
        await resyncs.set_total(conn, resync, await twins.count(conn, state.id))
    return True


async def _page(conn: Connection, resync: Resync, limit: int) -> list[int]:
    if resync.twin_ids is not None:
        rest = [twin for twin in resync.twin_ids if twin > resync.cursor]
        return rest[:limit]
    return await twins.page(conn, resync.connection_id, after=resync.cursor, limit=limit)


async def _dry_page(ctx: Context, state: Running, resync: Resync) -> None:
    """Decide one page of twins without writing anything but the plan and the figures."""
    async with ctx.database.connection() as conn:
        page = await _page(conn, resync, PAGE)
    if not page:
        await _finish(ctx, resync, ResyncStatus.SUCCEEDED, "")
        return
    now = ctx.clock()
    claimed = [_unclaimed(state, twin, resync, now) for twin in page]
    try:
        look, decisions = await decisions_for(ctx, state, claimed, dry=True)
        proposals = await proposals_for(ctx, look, decisions)
    except (TransientError, PermanentError) as error:
        await _put_off(ctx, resync, error)
        return
    async with ctx.database.transaction() as conn:
        plan_id = resync.plan_id or await plans.gathering(
            conn, state, PlanKind.DRY_RUN, reason=f"resync {resync.id}", now=now
        )
        await resyncs.plan_under(conn, resync, plan_id)
        added = [
            it
            for it in proposals
            if await plans.put(conn, plan_id, [planned(it, it.reason)], now=now)
        ]
        await resyncs.count(
            conn,
            resync,
            done=len(page),
            created=sum(not it.removes for it in added),
            removed=sum(it.removes for it in added),
            skipped=sum(isinstance(it, Wait) for it in decisions.values()),
        )
        await resyncs.advance(conn, resync, page[-1], {})
        await resyncs.let_go(conn, resync, due=now - POLL)


async def _trial_page(ctx: Context, state: Running, resync: Resync, revision: int) -> None:
    """As a dry run, for two revisions at once: what is kept is how their plans differ."""
    async with ctx.database.connection() as conn:
        page = await _page(conn, resync, PAGE)
        candidate = await revisions.by_number(conn, state.id, revision)
    if candidate is None or state.revision != resync.against:
        # What is compared with has changed: half of each would say nothing.
        await _finish(ctx, resync, ResyncStatus.FAILED, "revision_changed")
        return
    if not page:
        await _finish(ctx, resync, ResyncStatus.SUCCEEDED, "")
        return
    now = ctx.clock()
    claimed = [_unclaimed(state, twin, resync, now) for twin in page]
    try:
        found = await shadow.difference(ctx, state, candidate.config, claimed)
    except (TransientError, PermanentError) as error:
        await _put_off(ctx, resync, error)
        return
    async with ctx.database.transaction() as conn:
        for effect, proposals in (("more", found.more), ("less", found.less)):
            changes = [planned(it, it.reason) for it in proposals]
            await shadow_revisions.put(conn, state.id, revision, effect, changes)
        await resyncs.count(
            conn, resync, done=len(page), created=0, removed=0, skipped=found.skipped
        )
        await resyncs.advance(conn, resync, page[-1], {})
        await resyncs.let_go(conn, resync, due=now - POLL)


async def _put_off(ctx: Context, resync: Resync, error: TransientError | PermanentError) -> None:
    if isinstance(error, PermanentError):
        await _finish(ctx, resync, ResyncStatus.FAILED, error.code)
        return
    async with ctx.database.connection() as conn:
        await resyncs.let_go(conn, resync, due=ctx.clock() + timedelta(seconds=5))


def _unclaimed(state: Running, twin_id: int, resync: Resync, now: datetime) -> Claimed:
    """A pair as a dry run looks at it: without a claim, so nothing could be committed."""
    cause = Cause("resync", str(resync.id))
    return Claimed(
        state.id,
        twin_id,
        generation=0,
        fence=0,
        look=True,
        causes=(),
        cause=cause,
        tries=0,
        bulk=True,
        dirty_since=now,
    )


async def _finish(ctx: Context, resync: Resync, status: ResyncStatus, detail: str) -> None:
    async with ctx.database.transaction() as conn:
        await resyncs.finish(conn, resync, status, now=ctx.clock(), detail=detail)
