"""How many links a connection made and removed by hour or day.

Counted in the transactions that write the audit, so a chart of a year reads its buckets and not
the history behind them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Bucket:
    """One hour or day; `at` is its start, in UTC."""

    at: datetime
    created: int
    removed: int


async def of_connection(
    conn: Connection,
    connection_id: int,
    *,
    since: datetime,
    until: datetime,
    bucket: Literal["hour", "day"],
) -> list[Bucket]:
    """The buckets, oldest first and without gaps."""
    rows = await conn.fetch(
        """
        SELECT b.at, coalesce(sum(h.created), 0)::int AS created,
               coalesce(sum(h.removed), 0)::int AS removed
        FROM generate_series(date_trunc($4, $2::timestamptz, 'UTC'), $3::timestamptz,
                             ('1 ' || $4)::interval, 'UTC') AS b (at)
        LEFT JOIN activity_hours h ON h.connection_id = $1 AND h.hour >= b.at
             AND h.hour < b.at + ('1 ' || $4)::interval
        GROUP BY b.at ORDER BY b.at
        """,
        connection_id,
        since,
        until,
        bucket,
    )
    return [Bucket(**dict(row)) for row in rows]
