"""Unpairing twins and deleting connections release links: they become unmanaged, nothing is
removed. Both take the connection's lock, so once they return no older intent can commit."""

from collections.abc import Sequence
from datetime import datetime

from app.core.errors import PermanentError
from app.core.links import Side
from app.store import audit, release, running, twins
from app.store.pool import Connection, Database
from app.store.running import Running


async def unpair(
    database: Database, connection_id: int, twin_id: int, *, actor: str, now: datetime, engine: str
) -> int:
    """Unpair two issues; answers how many managed links were released.

    Raises ``PermanentError``: ``twin_unknown``, or ``write_in_progress`` while a link of theirs
    is being written or its outcome is not known yet.
    """
    async with database.transaction() as conn:
        state = await running.lock(conn, connection_id)
        if state is None:
            raise PermanentError("connection_unknown")
        released = await _release(conn, state, [twin_id], actor=actor, now=now, engine=engine)
        if not await twins.delete(conn, connection_id, twin_id):
            raise PermanentError("twin_unknown")
    return released


async def delete_connection(
    database: Database, connection_id: int, *, actor: str, now: datetime, engine: str
) -> int:
    """Delete a connection; answers how many managed links were released. Its audit stays."""
    async with database.transaction() as conn:
        state = await running.lock(conn, connection_id)
        if state is None:
            raise PermanentError("connection_unknown")
        released = await _release(conn, state, None, actor=actor, now=now, engine=engine)
        await conn.execute("DELETE FROM twins WHERE connection_id = $1", connection_id)
        await conn.execute("DELETE FROM twin_claims WHERE connection_id = $1", connection_id)
        await conn.execute(
            """UPDATE plans SET status = 'expired', decided_at = $2, decided_by = $3
               WHERE connection_id = $1
                 AND status IN ('gathering', 'held', 'approved', 'shadow')""",
            connection_id,
            now,
            actor,
        )
        await conn.execute(
            "UPDATE connections SET deleted_at = $2 WHERE id = $1", connection_id, now
        )
    return released


async def _release(
    conn: Connection,
    state: Running,
    twin_ids: Sequence[int] | None,
    *,
    actor: str,
    now: datetime,
    engine: str,
) -> int:
    if await release.open_writes(conn, state.id, twin_ids):
        raise PermanentError("write_in_progress")
    rows = [
        row
        for row in await release.release_rows(conn, state, twin_ids, now=now)
        if release.was_managed(row)
    ]
    names = {side: await release.type_names(conn, state.site(side)) for side in Side}
    entries = [release.entry(state, row, names[Side(row["origin"]).other], actor) for row in rows]
    if entries:
        await audit.append(conn, state.id, state.name, entries, engine=engine, now=now)
    return len(entries)
