"""Revisions: every configuration that a connection has had, or that was tried for it."""

from dataclasses import dataclass
from datetime import datetime

from app.core.config import ConnectionConfig
from app.store.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class Revision:
    """A stored configuration. `rollout` is `full`, or `shadow` if it is only tried."""

    revision: int
    config: ConnectionConfig
    note: str
    author: str
    created_at: datetime
    rollout: str


async def shelve(
    conn: Connection,
    connection_id: int,
    config: ConnectionConfig,
    *,
    author: str,
    note: str,
    now: datetime,
) -> int:
    """Insert a shadow revision, which is not active; returns its number."""
    revision = await next_number(conn, connection_id)
    await insert(
        conn, connection_id, revision, config, author=author, note=note, now=now, rollout="shadow"
    )
    return revision


async def next_number(conn: Connection, connection_id: int) -> int:
    """One above every number so far, including shadow revisions."""
    revision: int = await conn.fetchval(
        "SELECT max(revision) + 1 FROM revisions WHERE connection_id = $1", connection_id
    )
    return revision


async def page(conn: Connection, connection_id: int, *, before: int, limit: int) -> list[Revision]:
    """Revisions below the number *before*, newest first."""
    rows = await conn.fetch(
        """
        SELECT * FROM revisions
        WHERE connection_id = $1 AND revision < $2 ORDER BY revision DESC LIMIT $3
        """,
        connection_id,
        before,
        limit,
    )
    return [_revision(row) for row in rows]


async def by_number(conn: Connection, connection_id: int, number: int) -> Revision | None:
    row = await conn.fetchrow(
        "SELECT * FROM revisions WHERE connection_id = $1 AND revision = $2", connection_id, number
    )
    return _revision(row) if row else None


async def insert(
    conn: Connection,
    connection_id: int,
    revision: int,
    config: ConnectionConfig,
    *,
    author: str,
    note: str,
    now: datetime,
    rollout: str = "full",
) -> None:
    """Store a revision. `connections` makes it active, but for the *rollout* `shadow`."""
    await conn.execute(
        """
        INSERT INTO revisions (connection_id, revision, config, note, author, created_at, rollout)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        connection_id,
        revision,
        config.to_json(),
        note,
        author,
        now,
        rollout,
    )


def _revision(row: Row) -> Revision:
    return Revision(
        row["revision"],
        ConnectionConfig.from_json(row["config"]),
        row["note"],
        row["author"],
        row["created_at"],
        row["rollout"],
    )
