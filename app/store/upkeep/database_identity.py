"""The identity of this database, and whether it was restored to an earlier time."""

from dataclasses import dataclass

import asyncpg

from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Identity:
    """`system` is set when a cluster is made. `timeline` rises when a backup is restored to a point
    in time or a replica is promoted. `place` changes when a dump is loaded. None is unknown.
    `beat` counts checks."""

    system: str | None
    timeline: str | None
    beat: int = 0
    place: str | None = None

    def differs(self, now: "Identity") -> str | None:
        """The parts that differ; an unknown part never differs."""
        for name in ("system", "timeline", "place"):
            known, seen = getattr(self, name), getattr(now, name)
            if known is not None and seen is not None and known != seen:
                return name
        return None


async def seen(conn: Connection) -> Identity:
    """The identity that the server reports. Any role may read it, unless that was revoked."""
    return Identity(
        await _ask(conn, "SELECT system_identifier::text FROM pg_control_system()"),
        # The timeline of the current WAL: the control file changes only later after a promotion.
        await _ask(conn, "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)"),
        # Neither pg_upgrade nor VACUUM FULL changes these; loading a dump does.
        place=await _ask(
            conn,
            """SELECT oid || '/' || 'audit'::regclass::oid FROM pg_database
               WHERE datname = current_database()""",
        ),
    )


async def _ask(conn: Connection, query: str) -> str | None:
    try:
        async with conn.transaction():
            found: str | None = await conn.fetchval(query)
    except (asyncpg.InsufficientPrivilegeError, asyncpg.ObjectNotInPrerequisiteStateError):
        return None
    return found


async def stored(conn: Connection) -> Identity:
    """The identity that was stored last. The row of the installation must exist."""
    row = await conn.fetchrow("SELECT system_identifier, timeline, beat, place FROM installation")
    assert row is not None
    return Identity(row["system_identifier"], row["timeline"], row["beat"], row["place"])


async def store(conn: Connection, it: Identity) -> int:
    """Store the known parts and keep the others; returns the next beat."""
    beat: int = await conn.fetchval(
        """UPDATE installation SET system_identifier = coalesce($1, system_identifier),
               timeline = coalesce($2, timeline), place = coalesce($3, place), beat = beat + 1
           RETURNING beat""",
        it.system,
        it.timeline,
        it.place,
    )
    return beat


async def hold_removals(conn: Connection) -> list[str]:
    """Set every live connection to mode review; returns their names. Call under `lock_all`."""
    rows = await conn.fetch(
        """UPDATE connections SET mode = 'review' WHERE mode = 'live' AND deleted_at IS NULL
           RETURNING name"""
    )
    return sorted(row["name"] for row in rows)
