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


async def of_connections(
    conn: Connection, connection_ids: Sequence[int], since: datetime
) -> dict[int, list[Reset]]:
    """The resets of each connection, oldest first: the last one, and all after *since*."""
    rows = await conn.fetch(
        """SELECT r.connection_id, r.at, r.reset_by FROM guard_resets r
           WHERE r.connection_id = ANY($1::bigint[]) AND (r.at > $2 OR r.id = (
               SELECT id FROM guard_resets l WHERE l.connection_id = r.connection_id
               ORDER BY at DESC, id DESC LIMIT 1))
           ORDER BY r.at, r.id""",
        connection_ids,
        since,
    )
    found: dict[int, list[Reset]] = {it: [] for it in connection_ids}
    for row in rows:
        found[row["connection_id"]].append(Reset(row["at"], row["reset_by"]))
    return found


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
