"""Pairs that gave up: tried again, or dismissed, when a person asks."""

from datetime import datetime

from app.store.pool import Connection
from app.store.queue.work import Cause, raise_pairs


async def retry(conn: Connection, connection_id: int, twin_id: int, now: datetime) -> bool:
    """Look again at a pair that gave up. False if there is no such failure."""
    failed = await conn.fetchval(
        "SELECT failed_at IS NOT NULL FROM work WHERE connection_id = $1 AND twin_id = $2",
        connection_id,
        twin_id,
    )
    if failed:
        await _undismiss(conn, connection_id, twin_id)
        await raise_pairs(conn, connection_id, [twin_id], cause=Cause("twin", "retry"), now=now)
    return bool(failed)


async def dismiss(
    conn: Connection, connection_id: int, twin_id: int, *, reason: str, by: str, now: datetime
) -> bool:
    """Show the failure no longer, until the pair fails for another cause. False if there is no such
    failure."""
    status: str = await conn.execute(
        """UPDATE work SET dismissed_failure = failure, dismissed_reason = $3, dismissed_by = $4,
               dismissed_at = $5
           WHERE connection_id = $1 AND twin_id = $2 AND failed_at IS NOT NULL""",
        connection_id,
        twin_id,
        reason,
        by,
        now,
    )
    return status == "UPDATE 1"


async def _undismiss(conn: Connection, connection_id: int, twin_id: int) -> None:
    await conn.execute(
        "UPDATE work SET dismissed_failure = NULL WHERE connection_id = $1 AND twin_id = $2",
        connection_id,
        twin_id,
    )
