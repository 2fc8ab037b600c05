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
) -> int:
    """Say that a worker lives: *worker* as it was answered before, None the first time."""
    known: int | None = await conn.fetchval(
        "UPDATE workers SET seen_at = $2 WHERE id = $1 RETURNING id", worker, now
    )
    if known is not None:
        return known
    made: int = await conn.fetchval(
        """INSERT INTO workers (host, engine, started_at, seen_at) VALUES ($1, $2, $3, $3)
           RETURNING id""",
        host,
        engine,
        now,
    )
    return made


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
