"""Resyncs for people, and the request to cancel one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.store.columns import from_row
from app.store.pool import Connection, Row
from app.store.queue.resyncs import ResyncStatus


@dataclass(frozen=True, slots=True)
class ResyncShown:
    """A resync with its figures. `connection` is the name; `detail` says why it failed."""

    id: int
    connection: str
    status: ResyncStatus
    dry_run: bool
    cause: str
    issues_total: int
    issues_done: int
    created: int
    removed: int
    held: int
    skipped: int
    failed: int
    plan_id: int | None
    requested_by: str
    detail: str
    created_at: datetime
    finished_at: datetime | None


_SELECT = """
    SELECT r.*, c.name AS connection FROM resyncs r JOIN connections c ON c.id = r.connection_id
"""


async def by_id(
    conn: Connection, resync_id: int, within: Sequence[int] | None
) -> ResyncShown | None:
    """One resync; with *within*, only of these connections."""
    row = await conn.fetchrow(
        f"{_SELECT} WHERE r.id = $1 AND ($2::bigint[] IS NULL OR c.id = ANY($2))", resync_id, within
    )
    return _shown(row) if row else None


async def page(
    conn: Connection,
    *,
    within: Sequence[int] | None,
    connection: str | None,
    status: str | None,
    before: int,
    limit: int,
) -> list[ResyncShown]:
    """Newest first."""
    rows = await conn.fetch(
        f"""{_SELECT} WHERE r.id < $1 AND ($2::bigint[] IS NULL OR c.id = ANY($2))
            AND ($3::text IS NULL OR c.name = $3) AND ($4::text IS NULL OR r.status = $4)
            ORDER BY r.id DESC LIMIT $5""",
        before,
        within,
        connection,
        status,
        limit,
    )
    return [_shown(row) for row in rows]


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


def _shown(row: Row) -> ResyncShown:
    return from_row(ResyncShown, row, status=ResyncStatus(row["status"]))
