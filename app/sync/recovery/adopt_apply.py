"""Apply an approved adoption: each pair is judged again, and becomes managed in the transaction
that records it.

Under the connection's lock, in later statements: the plan is still being applied, the rows and
twins are those that were read, no write to either link is open, and no other row manages the
mirror. What makes an adopted link removable later is this approval: its authorship is adopted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.core.adoption import Skip
from app.core.ledger import Authorship, State
from app.core.links import Ends, Side
from app.core.operations import Operation, Status
from app.core.plan import PlanStatus
from app.store.config import account_salt, active_connection
from app.store.config.active_connection import Running
from app.store.guard import held_plans
from app.store.links import ledger, twins
from app.store.links.ledger import NewRow
from app.store.pool import Connection
from app.store.queue.work import Cause, raise_pairs
from app.store.recovery import adoptions, restore_changes
from app.store.recovery.adoptions import Adoption, Agreed
from app.store.recovery.restore_changes import Place
from app.store.writes import audit, written_links
from app.store.writes.audit_entry import entry
from app.sync.look.snapshot import Look
from app.sync.recovery.adopt_read import READS_AT_ONCE, Pair, examine, planned
from app.sync.runtime.context import Context
from app.sync.runtime.side_by_side import side_by_side

# What is being written, or was looked at meanwhile, is judged again in a moment.
SOON = timedelta(seconds=2)


@dataclass(slots=True)
class _Page:
    """Some pairs of the plan: those that Jira still shows as agreed, and how the others ended."""

    look: Look
    sound: dict[Place, Pair] = field(default_factory=dict)
    ended: dict[Place, str] = field(default_factory=dict)


async def apply(ctx: Context, it: Adoption, *, page: int, patient: bool) -> datetime | None:
    """Adopt a page of pairs, or end the plan where none is open; answers until when no worker needs
    to come back, None for at once."""
    async with ctx.database.connection() as conn:
        state = await active_connection.load(conn, it.connection_id)
        pairs = await adoptions.agreed(conn, it.plan_id, limit=page)
    if state is None or not pairs:
        await _end(ctx, it, pairs)
        return None
    if state.paused:
        return ctx.clock() + SOON
    return await _commit(ctx, it, await _read(ctx, it, state, pairs, patient=patient))


async def _read(
    ctx: Context, it: Adoption, state: Running, pairs: Sequence[Agreed], *, patient: bool
) -> _Page:
    """What both sites show of these pairs now, and whether it is what was agreed."""
    async with ctx.database.connection() as conn:
        ends = {twin for pair in pairs for twin in pair.key.twins}
        rows = {row.key: row for row in await ledger.touching(conn, state.id, ends)}
        salt = await account_salt.salt(conn)
    open_rows = [
        row
        for pair in pairs
        if (row := rows.get(pair.key)) is not None
        and row.state in (State.PREEXISTING, State.DETACHED)
    ]
    look, examined = await examine(ctx, state, open_rows, it.window, salt, patient=patient)
    page = _Page(look)
    by_key = {pair.row.key: pair for pair in examined}
    for agreed in pairs:
        found = by_key.get(agreed.key)
        if found is not None and isinstance(found.verdict, Skip):
            page.ended[agreed.place] = f"skipped:{found.verdict.reason}"
        elif found is None or not _as_agreed(look, found, agreed):
            page.ended[agreed.place] = "skipped:changed"
        else:
            page.sound[agreed.place] = found
    await _ask_by_id(ctx, page)
    return page


def _as_agreed(look: Look, found: Pair, agreed: Agreed) -> bool:
    """The same side, link and ends as were reviewed."""
    now, then = planned(look, found), agreed.place
    ends = (now.source.id, now.destination.id) == (then.source, then.destination)
    there = (now.site, now.type_id) == (then.site, then.type_id)
    return ends and there and now.link_id == agreed.link_id


async def _ask_by_id(ctx: Context, page: _Page) -> None:
    """A listing may lag: each mirror has to answer by its id, with the same type and ends."""

    async def ask(each: tuple[Place, Pair]) -> None:
        place, pair = each
        kinds = page.look.pair_types(pair.row.key)
        assert kinds is not None
        client = await ctx.sites.client(place.site)
        seen = await client.get_link(pair.links[pair.mirror].id)
        ends = Ends(place.source, place.destination)
        symmetric = kinds.left.symmetric
        if seen is None or not seen.equals(place.type_id, ends, symmetric=symmetric):
            page.ended[place] = "skipped:link_changed"

    await side_by_side(READS_AT_ONCE, ask, list(page.sound.items()))
    page.sound = {place: it for place, it in page.sound.items() if place not in page.ended}


async def _commit(ctx: Context, it: Adoption, page: _Page) -> datetime | None:
    async with ctx.database.transaction() as conn:
        now = ctx.clock()
        state = await active_connection.lock(conn, it.connection_id)
        plan = await held_plans.lock(conn, it.plan_id)
        if plan is None or plan.status is not PlanStatus.APPLYING:
            return None
        if not await adoptions.holds(conn, it):
            return None
        if state is None or state.paused or state.revision != page.look.running.revision:
            return now + SOON
        standing = await _standing(conn, page)
        adopted = []
        for place, pair in sorted(page.sound.items(), key=lambda each: each[0]):
            if place not in standing:
                continue
            if await _take_over(conn, page.look, pair, now):
                page.ended[place] = "applied:adopted"
                adopted.append(pair)
            else:
                page.ended[place] = "skipped:managed_elsewhere"
        await restore_changes.close(conn, page.ended)
        await _write_down(conn, ctx, it, page.look, state, adopted, now)
    return None if standing.issuperset(page.sound) else now + SOON


async def _standing(conn: Connection, page: _Page) -> set[Place]:
    """The pairs whose grounds are as they were read, and whose links have no open write."""
    look, pairs = page.look, page.sound
    rows = await ledger.versions(conn, [pair.row for pair in pairs.values()])
    ends = {twin for pair in pairs.values() for twin in pair.row.key.twins}
    there = await twins.standing(conn, [look.twins[twin] for twin in ends])
    links = {
        place: {look.physical(pair.row.key, side) for side in Side} for place, pair in pairs.items()
    }
    every = sorted({key for both in links.values() for key in both})
    busy = await written_links.open_at(conn, every)
    busy |= await written_links.written_since(conn, every, look.started_at)
    return {
        place
        for place, pair in pairs.items()
        if pair.row.id in rows
        and there.issuperset(pair.row.key.twins)
        and busy.isdisjoint(links[place])
    }


class _Occupied(Exception):
    """Another row manages the link, or took its key."""


async def _take_over(conn: Connection, look: Look, pair: Pair, now: datetime) -> bool:
    """The pair's row starts again: which side is the mirror may be another than before. False:
    the mirror has a manager, and nothing was written."""
    mirror = pair.mirror
    new = NewRow(
        key=pair.row.key,
        right_type=pair.row.right_type,
        place=look.place(pair.row.key, mirror),
        origin=mirror.other,
        state=State.MANAGED,
        left_link=pair.links[Side.LEFT].id,
        right_link=pair.links[Side.RIGHT].id,
        authorship=Authorship.ADOPTED,
        reason="adopted",
    )
    try:
        async with conn.transaction():
            await ledger.forget(conn, pair.row)
            if await ledger.insert(conn, look.running.id, new, now=now) is None:
                raise _Occupied
    except _Occupied:
        return False
    return True


async def _write_down(
    conn: Connection,
    ctx: Context,
    it: Adoption,
    look: Look,
    state: Running,
    adopted: Sequence[Pair],
    now: datetime,
) -> None:
    """Into the audit, and to the worker: the next look finds each pair in step, or acts."""
    if not adopted:
        return
    entries = [_entry(it, look, state, pair) for pair in adopted]
    await audit.append(conn, state.id, state.name, entries, engine=ctx.engine, now=now)
    ends = sorted({twin for pair in adopted for twin in pair.row.key.twins})
    cause = Cause("plan", str(it.plan_id))
    await raise_pairs(conn, state.id, ends, cause=cause, now=now, bulk=True)


def _entry(it: Adoption, look: Look, state: Running, pair: Pair) -> audit.Entry:
    change = planned(look, pair)
    kinds = look.pair_types(pair.row.key)
    assert kinds is not None
    return entry(
        state,
        pair.mirror,
        Operation.ADOPT,
        Status.APPLIED,
        link_id=change.link_id,
        type_id=change.type_id,
        type_name=kinds.on(pair.mirror).name,
        source=change.source,
        destination=change.destination,
        managed=True,
        cause=Cause("plan", str(it.plan_id)),
        plan_id=it.plan_id,
        evidence={
            **change.evidence,
            "reason": change.reason,
            "adoption": str(it.id),
            "account": it.window.account,
            "former": pair.row.state.value,
        },
        actor=it.approver,
    )


async def _end(ctx: Context, it: Adoption, pairs: Iterable[Agreed]) -> None:
    """Nothing is open any more, or the connection was deleted."""
    async with ctx.database.transaction() as conn:
        await active_connection.lock_any(conn, it.connection_id)
        over = {pair.place: "skipped:connection_deleted" for pair in pairs}
        await restore_changes.close(conn, over)
        await held_plans.finish(conn, it.plan_id)
