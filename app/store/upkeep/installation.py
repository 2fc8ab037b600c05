"""The state of the whole installation: its id, and the pause of everything."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Pause:
    """The pause of everything; both are None while it is off."""

    paused_at: datetime | None
    paused_by: str | None


async def ensure(conn: Connection, wanted: str | None) -> str:
    """The id of the database. A database without one gets *wanted*, or a new id."""
    await conn.execute(
        """INSERT INTO installation AS i (id) VALUES ($1)
           ON CONFLICT (one) DO UPDATE SET id = excluded.id WHERE i.id = ''""",
        wanted or uuid.uuid4().hex,
    )
    stored: str = await conn.fetchval("SELECT id FROM installation")
    return stored


async def named(conn: Connection) -> str | None:
    """The id of the database, or None."""
    found: str | None = await conn.fetchval("SELECT id FROM installation")
    return found or None


async def note(conn: Connection) -> None:
    """Insert the row without an id: an empty text counts as none."""
    await conn.execute("INSERT INTO installation (id) VALUES ('') ON CONFLICT DO NOTHING")


async def state(conn: Connection) -> Pause:
    """Whether everything is paused; a database without a row is not."""
    row = await conn.fetchrow("SELECT paused_at, paused_by FROM installation")
    return Pause(row["paused_at"], row["paused_by"]) if row else Pause(None, None)


async def pause(conn: Connection, *, by: str, now: datetime) -> Pause:
    """Pause everything; a second pause keeps the first time."""
    await note(conn)
    await conn.execute(
        """UPDATE installation SET paused_at = coalesce(paused_at, $1),
               paused_by = CASE WHEN paused_at IS NULL THEN $2 ELSE paused_by END""",
        now,
        by,
    )
    return await state(conn)


async def resume(conn: Connection) -> Pause:
    """End the pause of everything; returns the new state."""
    await conn.execute("UPDATE installation SET paused_at = NULL, paused_by = NULL")
    return await state(conn)
