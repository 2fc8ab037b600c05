"""Resets of the guard by a person. Take the connection's lock first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Reset:
    """When the guard was reset, and the owner of the token that did it."""

    at: datetime
    by: str


async def since(conn: Connection, connection_id: int, since: datetime) -> Sequence[Reset]:
    """The resets of a connection after *since*, oldest first."""
    rows = await conn.fetch(
        """SELECT at, reset_by FROM guard_resets WHERE connection_id = $1 AND at > $2
           ORDER BY at, id""",
        connection_id,
        since,
    )
    return [Reset(row["at"], row["reset_by"]) for row in rows]


async def last(conn: Connection, connection_id: int) -> Reset | None:
    """The latest reset of a connection, None without any."""
    row = await conn.fetchrow(
        """SELECT at, reset_by FROM guard_resets WHERE connection_id = $1
           ORDER BY at DESC, id DESC LIMIT 1""",
        connection_id,
    )
    return Reset(row["at"], row["reset_by"]) if row else None


async def note(conn: Connection, connection_id: int, *, by: str, now: datetime) -> None:
    """Record a reset, with the reason for which the guard was tripped."""
    await conn.execute(
        """INSERT INTO guard_resets (connection_id, at, reset_by, tripped_by)
           SELECT id, $2, $3, CASE WHEN guard_tripped_at IS NOT NULL
               THEN coalesce(guard_trip_reason, 'unknown') END
           FROM connections WHERE id = $1""",
        connection_id,
        now,
        by,
    )
