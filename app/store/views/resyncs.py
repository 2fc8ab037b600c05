"""Resyncs for people, and the request to cancel one."""

from collections.abc import Sequence
from datetime import datetime

from app.store.pool import Connection, Row

_SELECT = """
    SELECT r.*, c.name AS connection FROM resyncs r JOIN connections c ON c.id = r.connection_id
"""


async def by_id(conn: Connection, resync_id: int, within: Sequence[int] | None) -> Row | None:
    """One resync; with *within*, only of these connections."""
    return await conn.fetchrow(
        f"{_SELECT} WHERE r.id = $1 AND ($2::bigint[] IS NULL OR c.id = ANY($2))", resync_id, within
    )


async def page(
    conn: Connection,
    *,
    within: Sequence[int] | None,
    connection: str | None,
    status: str | None,
    before: int,
    limit: int,
) -> list[Row]:
    """Newest first."""
    return await conn.fetch(
        f"""{_SELECT} WHERE r.id < $1 AND ($2::bigint[] IS NULL OR c.id = ANY($2))
            AND ($3::text IS NULL OR c.name = $3) AND ($4::text IS NULL OR r.status = $4)
            ORDER BY r.id DESC LIMIT $5""",
        before,
        within,
        connection,
        status,
        limit,
    )


async def cancel(conn: Connection, resync_id: int, now: datetime) -> bool:
    """Cancel: a waiting resync ends now, a running one at its next step. False if it was over."""
    done = await conn.fetchval(
        """
        UPDATE resyncs SET cancel_requested = true,
            status = CASE WHEN status = 'queued' THEN 'cancelled' ELSE status END,
            finished_at = CASE WHEN status = 'queued' THEN $2 ELSE finished_at END
        WHERE id = $1 AND status IN ('queued', 'running', 'held') RETURNING true
        """,
        resync_id,
        now,
    )
    return bool(done)
