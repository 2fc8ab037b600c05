"""Which database this is, as far as it can tell by itself, and whether it went back in time."""

from dataclasses import dataclass

import asyncpg

from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Identity:
    """`system` is set when a cluster is made, `timeline` moves on when a backup is restored
    to a point in time or a replica is promoted; `place` is another wherever a dump was loaded.
    None: nobody told us. `beat` counts looks."""

    system: str | None
    timeline: str | None
    beat: int = 0
    place: str | None = None

    def differs(self, now: "Identity") -> str | None:
        """What of it is another now; the unknown is no difference."""
        for name in ("system", "timeline", "place"):
            known, seen = getattr(self, name), getattr(now, name)
            if known is not None and seen is not None and known != seen:
                return name
        return None


async def seen(conn: Connection) -> Identity:
    """What the server says. Everybody may ask, unless an administrator took that away."""
    return Identity(
        await _ask(conn, "SELECT system_identifier::text FROM pg_control_system()"),
        # Of the log that is written now: the control file knows a promotion only later.
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
    row = await conn.fetchrow("SELECT system_identifier, timeline, beat, place FROM installation")
    assert row is not None
    return Identity(row["system_identifier"], row["timeline"], row["beat"], row["place"])


async def store(conn: Connection, it: Identity) -> int:
    """Remember this one, keep what it does not know; answers the next beat."""
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
    """Every live connection into review; answers their names. Call under `lock_all`."""
    rows = await conn.fetch(
        """UPDATE connections SET mode = 'review' WHERE mode = 'live' AND deleted_at IS NULL
           RETURNING name"""
    )
    return sorted(row["name"] for row in rows)
