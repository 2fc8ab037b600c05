"""Ending pairs and deleting connections releases links: they become unmanaged, nothing is
removed. Both take the connection's lock, so once they return no older intent can commit. Links
whose mirror another account removed are kept for the same pair, which would make them again.

Where another connection records a released mirror as preexisting, its origin keeps the link:
management moves to it, audited on both sides, if that one can do all that this one could. Else
the mirror stays released: no connection manages it, and nothing removes it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from app.core.errors import PermanentError
from app.core.ledger import State
from app.core.links import LinkId, Side
from app.core.operations import Operation
from app.store.access import tokens
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.guard import lost_removals
from app.store.links import former_twins, ledger, managers, twins
from app.store.pool import Connection, Database
from app.store.queue.work import Cause, raise_pairs
from app.store.writes import audit, release
from app.store.writes.intents import Mirror
from app.store.writes.release import Released
from app.sync.runtime import heirs


async def end_pair(
    conn: Connection,
    state: Running,
    twin_id: int,
    *,
    actor: str,
    now: datetime,
    engine: str,
    plan_id: int | None = None,
    for_good: bool = False,
) -> int:
    """Release the links of a pair and end it; answers how many managed links were released. Unless
    *for_good*, the links whose mirror another account removed are kept for the same pair coming
    back: it does not make them again. Under `lock`.

    Raises `PermanentError` `write_in_progress` while a link of the pair is being written or the
    outcome is not known yet.
    """
    if not for_good:
        await former_twins.keep_detached(conn, state.id, twin_id, now)
    released = await _release(
        conn, state, [twin_id], actor=actor, now=now, engine=engine, plan_id=plan_id,
        keep_lost=not for_good,
    )  # fmt: skip
    if await former_twins.has_rows(conn, state.id, twin_id):
        await former_twins.put(conn, state.id, [twin_id], now)
    else:
        await twins.delete(conn, state.id, twin_id)
    return released


async def delete_connection(
    database: Database, connection_id: int, *, actor: str, now: datetime, engine: str
) -> int:
    """Delete a connection; answers how many managed links were released. Its audit stays."""
    async with database.transaction() as conn:
        state = await lock(conn, connection_id, None)
        released = await _release(conn, state, None, actor=actor, now=now, engine=engine)
        await release.end_connection(conn, connection_id, by=actor, now=now)
        await tokens.forget_connection(conn, connection_id)
    return released


async def lock(conn: Connection, connection_id: int, twin_ids: Sequence[int] | None) -> Running:
    """Lock the connection and all that may inherit from it, in id order as every hand-over.
    Raises `PermanentError` `connection_unknown`."""
    taking = await managers.heirs_of_connection(conn, connection_id, twin_ids)
    for each in sorted({connection_id, *taking}):
        await active_connection.lock(conn, each)
    state = await active_connection.load(conn, connection_id)
    if state is None:
        raise PermanentError("connection_unknown")
    return state


async def _release(
    conn: Connection,
    state: Running,
    twin_ids: Sequence[int] | None,
    *,
    actor: str,
    now: datetime,
    engine: str,
    plan_id: int | None = None,
    keep_lost: bool = False,
) -> int:
    if await release.open_writes(conn, state.id, twin_ids):
        raise PermanentError("write_in_progress")
    released_rows = await release.release_rows(conn, state, twin_ids, keep_lost=keep_lost, now=now)
    managed = [it for it in released_rows if it.was_managed]
    names = {side: await release.type_names(conn, state.site(side)) for side in Side}
    entries = [release.entry(state, it, names[it.row.mirror], actor, plan_id) for it in managed]
    if entries:
        await audit.append(conn, state.id, state.name, entries, engine=engine, now=now)
    lost = {mirror: "unpaired" for it in released_rows if (mirror := _mirror(it)) is not None}
    for it, released in zip(managed, entries, strict=True):
        moved = await _bequeath(conn, state, it, released, engine=engine, now=now)
        if moved and (mirror := _mirror(it)) is not None:
            lost[mirror] = "moved"
    await lost_removals.end(conn, state.id, lost, now)
    return len(entries)


def _mirror(it: Released) -> Mirror | None:
    return None if it.row.mirror_id is None else (it.place.mirror.site, it.row.mirror_id)


async def _bequeath(
    conn: Connection,
    giving: Running,
    it: Released,
    released: audit.Entry,
    *,
    engine: str,
    now: datetime,
) -> bool:
    """Hand one released mirror to the first connection that records it as preexisting and is able
    to manage it. If that one's origin is gone as well, its own look finds out, under its guard.
    False where there is none."""
    heir = await heirs.first(conn, giving, it.place.mirror)
    if heir is None or not heir.able or it.row.authorship is None:
        return False
    taking, theirs = heir.taking, heir.row
    mirror_id = None if released.link_id is None else LinkId(released.link_id)
    left, right = theirs.origin.order(theirs.link_on(theirs.origin), mirror_id)
    change = ledger.Change(
        row=theirs,
        state=State.MANAGED,
        authorship=it.row.authorship,
        authored_after=it.row.authored_after,
        left_link=left,
        right_link=right,
        reason="inherited",
    )
    if not await ledger.change(conn, change, now=now):
        return False
    adopted = replace(
        released, operation=Operation.ADOPT, managed=True, revision=taking.revision,
        site=taking.site_name(theirs.mirror),
    )  # fmt: skip
    await audit.append(conn, taking.id, taking.name, [adopted], engine=engine, now=now)
    cause = Cause("twin", str(it.row.key.source_twin))
    await raise_pairs(conn, taking.id, list(theirs.key.twins), cause=cause, now=now)
    return True
