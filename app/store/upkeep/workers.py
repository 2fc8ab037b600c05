"""Worker processes that run, by their own signs of life."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.store.pool import Connection

ALIVE = timedelta(seconds=60)
"""Since its last sign, of which one comes every ten seconds: several may be late or lost."""
KEPT = timedelta(days=1)
"""Of a worker that ended without a word: long enough to see which one it was."""


@dataclass(frozen=True, slots=True)
class Worker:
    """`host` as the machine names itself; `engine` is the version that runs."""

    id: int
    host: str
    engine: str
    started_at: datetime
    seen_at: datetime

    def alive(self, now: datetime) -> bool:
        """Whether its last sign is recent enough."""
        return self.seen_at > now - ALIVE


async def sign(
    conn: Connection, worker: int | None, *, host: str, engine: str, now: datetime
) -> tuple[int, int]:
    """Say that a worker lives: *worker* as it was answered before, None the first time. Answers
    which one it is, and how many live."""
    row = await conn.fetchrow(
        """
        WITH known AS (UPDATE workers SET seen_at = $2 WHERE id = $1 RETURNING id),
        made AS (
            INSERT INTO workers (host, engine, started_at, seen_at)
            SELECT $3, $4, $2, $2 WHERE NOT EXISTS (SELECT FROM known) RETURNING id)
        SELECT id, 1 + (SELECT count(*) FROM workers w WHERE w.id <> it.id AND w.seen_at > $5)
            AS living
        FROM (SELECT id FROM known UNION ALL SELECT id FROM made) it
        """,
        worker,
        now,
        host,
        engine,
        now - ALIVE,
    )
    assert row is not None
    return row["id"], row["living"]


async def left(conn: Connection, worker: int) -> None:
    """It ended in order."""
    await conn.execute("DELETE FROM workers WHERE id = $1", worker)


async def page(conn: Connection, *, after: int, limit: int) -> Sequence[Worker]:
    """Workers that ended without saying so among them, in the order of their ids."""
    rows = await conn.fetch(
        """SELECT id, host, engine, started_at, seen_at FROM workers
           WHERE id > $1 ORDER BY id LIMIT $2""",
        after,
        limit,
    )
    return [Worker(*row.values()) for row in rows]


async def last_sign(conn: Connection) -> datetime | None:
    """When a worker gave a sign last; None if none ever did."""
    found: datetime | None = await conn.fetchval("SELECT max(seen_at) FROM workers")
    return found


async def purge(conn: Connection, now: datetime, limit: int) -> int:
    """Delete workers that gave no sign for `KEPT`, at most *limit*; returns how many."""
    status = await conn.execute(
        """DELETE FROM workers WHERE id IN (
               SELECT id FROM workers WHERE seen_at < $1 ORDER BY id LIMIT $2)""",
        now - KEPT,
        limit,
    )
    return int(status.rpartition(" ")[2])
