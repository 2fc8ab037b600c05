"""How long a connection did not write, over its own pauses and those of everything, and the
comparison that the first pass after a long one is."""

from datetime import datetime, timedelta

from app.store.pool import Connection

# After a longer pause, too much is unknown to remove by itself (docs/how-it-decides.md).
LONG = timedelta(hours=24)


async def begin_all(conn: Connection, now: datetime) -> None:
    """Pause everything from now on. Connections that were paused before keep the earlier time."""
    await conn.execute(
        """UPDATE connections SET idle_since = coalesce(idle_since, $1)
           WHERE deleted_at IS NULL""",
        now,
    )


async def end(conn: Connection, now: datetime, *, connection_id: int | None = None) -> list[int]:
    """Of this connection (None: of all), those that write again from now on after a long pause. A
    connection that another pause still holds is not one. Call it after the pause is lifted, in its
    transaction, under the connections' locks."""
    rows = await conn.fetch(
        """
        WITH idle AS (
            SELECT id, idle_since FROM connections
            WHERE idle_since IS NOT NULL AND paused_at IS NULL AND deleted_at IS NULL
              AND ($1::bigint IS NULL OR id = $1)
              AND NOT EXISTS (SELECT 1 FROM installation WHERE paused_at IS NOT NULL)),
        ended AS (
            UPDATE connections c SET idle_since = NULL FROM idle WHERE c.id = idle.id)
        SELECT id FROM idle WHERE idle_since < $2 ORDER BY id
        """,
        connection_id,
        now - LONG,
    )
    return [row["id"] for row in rows]


async def begin_first_pass(conn: Connection, connection_id: int, resync_id: int) -> None:
    """Until this comparison, or a later one of all twins, has ended well, removals are held."""
    await conn.execute(
        "UPDATE connections SET first_pass_resync = $2 WHERE id = $1", connection_id, resync_id
    )
