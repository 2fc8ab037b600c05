"""The projects that the keys of configurations mean, by id."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from app.core.connection.projects import Pin
from app.core.links import ProjectId, ProjectKey, Side
from app.store.pool import Connection

AGGREGATED = """
    (SELECT jsonb_agg(jsonb_build_array(side, configured, project_id::text, key, former)
                      ORDER BY side, configured)
     FROM project_pins WHERE connection_id = c.id)
"""
"""The pins of the connection `c`, for the statement that loads it; see `read`."""


def read(stored: Any) -> dict[Side, tuple[Pin, ...]]:
    """The pins of both sides from what `AGGREGATED` answers."""
    pins: dict[Side, tuple[Pin, ...]] = dict.fromkeys(Side, ())
    for side, configured, number, key, former in stored or ():
        pin = Pin(
            ProjectKey(configured),
            ProjectId(number),
            ProjectKey(key),
            frozenset(map(ProjectKey, former)),
        )
        pins[Side(side)] += (pin,)
    return pins


async def of_connection(conn: Connection, connection_id: int) -> dict[Side, tuple[Pin, ...]]:
    stored = await conn.fetchval(
        f"SELECT {AGGREGATED} FROM connections c WHERE id = $1",  # noqa: S608 - a constant
        connection_id,
    )
    return read(stored)


async def put(
    conn: Connection, connection_id: int, side: Side, pins: Iterable[Pin], now: datetime
) -> None:
    """Pin keys that are not pinned yet, and follow the projects of those that are: a key that is
    pinned to another project stays so."""
    await conn.executemany(
        """INSERT INTO project_pins AS p
               (connection_id, side, configured, project_id, key, former, pinned_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (connection_id, side, configured) DO UPDATE SET key = excluded.key,
               former = ARRAY(SELECT DISTINCT f FROM unnest(p.former || p.key || excluded.former) f
                              ORDER BY f)
           WHERE p.project_id = excluded.project_id AND p.key <> excluded.key""",
        [
            (
                connection_id,
                side.value,
                pin.configured,
                int(pin.id),
                pin.key,
                sorted(pin.former),
                now,
            )
            for pin in pins
        ],
    )


async def keep(
    conn: Connection, connection_id: int, side: Side, configured: Sequence[ProjectKey]
) -> None:
    """Forget the pins of keys that are not configured any more: one that a person adds again
    means the project that has it then."""
    await conn.execute(
        """DELETE FROM project_pins
           WHERE connection_id = $1 AND side = $2 AND configured <> ALL($3::text[])""",
        connection_id,
        side.value,
        list(configured),
    )
