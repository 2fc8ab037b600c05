"""Connections. A deleted connection keeps its row: its audit names it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from app.core.config import ConnectionConfig, Mode
from app.core.links import Side
from app.store.config import project_pins, revisions
from app.store.pool import Connection, Row

_LOG = structlog.get_logger(__name__)

# Two PUTs that would connect the same projects wait for each other here; see `lock_admin`.
_ADMIN_LOCK = 0x7477_4341


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """A live connection with its active configuration."""

    id: int
    name: str
    left_site_id: int
    right_site_id: int
    revision: int
    mode: Mode
    paused_at: datetime | None
    paused_by: str | None
    guard_tripped_at: datetime | None
    guard_trip_reason: str | None
    guard_reset_at: datetime
    created_at: datetime
    config: ConnectionConfig

    def site_id(self, side: Side) -> int:
        return side.pick(self.left_site_id, self.right_site_id)

    @property
    def paused(self) -> bool:
        return self.paused_at is not None

    @property
    def tripped(self) -> bool:
        return self.guard_tripped_at is not None


_SELECT = """
    SELECT c.id, c.name, c.left_site_id, c.right_site_id, c.revision, c.mode, c.paused_at,
           c.paused_by, c.guard_tripped_at, c.guard_trip_reason, c.guard_reset_at, c.created_at,
           r.config
    FROM connections c JOIN revisions r ON r.connection_id = c.id AND r.revision = c.revision
    WHERE c.deleted_at IS NULL
"""


async def by_name(conn: Connection, name: str) -> ConnectionRow | None:
    """A connection with its active revision; None for a deleted one."""
    return _connection(await conn.fetchrow(f"{_SELECT} AND c.name = $1", name))


async def by_id(conn: Connection, connection_id: int) -> ConnectionRow | None:
    """A connection with its active revision; None for a deleted one."""
    return _connection(await conn.fetchrow(f"{_SELECT} AND c.id = $1", connection_id))


async def share(conn: Connection, names: Sequence[str]) -> dict[str, int]:
    """Ids of the existing connections among *names*, locked against deletion until this
    transaction ends."""
    rows = await conn.fetch(
        """
        SELECT name, id FROM connections WHERE name = ANY($1) AND deleted_at IS NULL
        ORDER BY id FOR SHARE
        """,
        names,
    )
    return {row["name"]: row["id"] for row in rows}


async def lock(conn: Connection, name: str) -> ConnectionRow | None:
    """The connection, locked until this transaction ends: no intent commits meanwhile.

    Locked first and read in a later statement, so that what is read is what the lock protects.
    `NO KEY` as in `active_connection.lock`: ingest's foreign keys share-lock this row.
    """
    connection_id: int | None = await conn.fetchval(
        "SELECT id FROM connections WHERE name = $1 AND deleted_at IS NULL FOR NO KEY UPDATE", name
    )
    return None if connection_id is None else await by_id(conn, connection_id)


async def lock_all(conn: Connection) -> None:
    """Every live connection, in one order, until this transaction ends."""
    await conn.execute(
        "SELECT 1 FROM connections WHERE deleted_at IS NULL ORDER BY id FOR NO KEY UPDATE"
    )


async def lock_admin(conn: Connection) -> None:
    """Allow one creation or change of a connection at a time, over all API processes."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _ADMIN_LOCK)


async def page(
    conn: Connection, *, within: Sequence[int] | None, after: str, limit: int
) -> list[ConnectionRow]:
    """Connections in the order of their names; with *within*, only those."""
    rows = await conn.fetch(
        f"{_SELECT} AND c.name > $1 AND ($2::bigint[] IS NULL OR c.id = ANY($2))"
        " ORDER BY c.name LIMIT $3",
        after,
        within,
        limit,
    )
    return [_row(row) for row in rows]


async def between(conn: Connection, site: int, other: int) -> list[ConnectionRow]:
    """Live connections that join these two sites, whichever of them is on the left."""
    rows = await conn.fetch(
        f"{_SELECT} AND (c.left_site_id, c.right_site_id) IN (($1, $2), ($2, $1))", site, other
    )
    return [_row(row) for row in rows]


async def of_site(conn: Connection, site: int) -> list[int]:
    """The live connections that read this site, in the order of their locks."""
    rows = await conn.fetch(
        """SELECT id FROM connections WHERE $1 IN (left_site_id, right_site_id)
           AND deleted_at IS NULL ORDER BY id""",
        site,
    )
    return [row["id"] for row in rows]


async def live(conn: Connection) -> list[ConnectionRow]:
    """All connections that are not deleted, without those whose stored configuration this version
    cannot read: one of them must not hide the others."""
    found = []
    for row in await conn.fetch(f"{_SELECT} ORDER BY c.id"):
        try:
            found.append(_row(row))
        except (KeyError, TypeError, ValueError) as error:
            _LOG.warning("config_unreadable", connection=row["name"], error=type(error).__name__)
    return found


async def insert(
    conn: Connection,
    name: str,
    sites: tuple[int, int],
    config: ConnectionConfig,
    *,
    author: str,
    now: datetime,
) -> int:
    """Insert a connection in shadow mode, with its first revision."""
    connection_id: int = await conn.fetchval(
        """
        INSERT INTO connections
            (name, left_site_id, right_site_id, revision, guard_reset_at, created_at)
        VALUES ($1, $2, $3, 1, $4, $4) RETURNING id
        """,
        name,
        *sites,
        now,
    )
    await revisions.insert(conn, connection_id, 1, config, author=author, note="", now=now)
    return connection_id


async def append_revision(
    conn: Connection,
    connection_id: int,
    config: ConnectionConfig,
    *,
    author: str,
    note: str,
    now: datetime,
) -> int:
    """The number of the new revision, active from this commit on. Call under `lock`."""
    revision = await revisions.next_number(conn, connection_id)
    await revisions.insert(conn, connection_id, revision, config, author=author, note=note, now=now)
    await conn.execute(
        "UPDATE connections SET revision = $2 WHERE id = $1", connection_id, revision
    )
    for side in Side:
        await project_pins.keep(conn, connection_id, side, config.end(side).projects)
    return revision


async def set_mode(conn: Connection, connection_id: int, mode: Mode) -> None:
    await conn.execute("UPDATE connections SET mode = $2 WHERE id = $1", connection_id, mode.value)


async def set_paused(
    conn: Connection, connection_id: int, *, at: datetime | None, by: str | None
) -> None:
    """Pause or resume. Pausing again keeps the first time, because the length of a pause decides
    what follows it: callers that resume ask `pauses.end`."""
    await conn.execute(
        """
        UPDATE connections SET
            paused_at = CASE WHEN $2::timestamptz IS NOT NULL THEN coalesce(paused_at, $2) END,
            paused_by = CASE WHEN $2::timestamptz IS NOT NULL THEN coalesce(paused_by, $3) END,
            idle_since = coalesce(idle_since, $2)
        WHERE id = $1
        """,
        connection_id,
        at,
        by,
    )


async def reset_guard(conn: Connection, connection_id: int, now: datetime) -> None:
    """Arm the guard; both windows begin again at *now*."""
    await conn.execute(
        """
        UPDATE connections SET guard_tripped_at = NULL, guard_trip_reason = NULL,
               guard_reset_at = $2 WHERE id = $1
        """,
        connection_id,
        now,
    )


def _connection(row: Row | None) -> ConnectionRow | None:
    return None if row is None else _row(row)


def _row(row: Row) -> ConnectionRow:
    stored = dict(row)
    stored["mode"] = Mode(stored["mode"])
    stored["config"] = ConnectionConfig.from_json(stored["config"])
    return ConnectionRow(**stored)
