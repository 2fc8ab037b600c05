"""Circuits: sites that are not called because they fail or need a person, and since when."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from app.store.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class SiteCircuit:
    """A site with the state of its calls. `open_since` None: the circuit is closed."""

    id: int
    name: str
    open_since: datetime | None
    locked: bool


async def all_sites(conn: Connection) -> list[SiteCircuit]:
    """Every site, in the order of the ids."""
    rows = await conn.fetch(
        "SELECT id, name, circuit_open_since, locked_since FROM sites ORDER BY id"
    )
    return [_site(row) for row in rows]


async def in_question(conn: Connection, suspected: Collection[int]) -> list[SiteCircuit]:
    """The sites whose circuit is recorded as open, and the *suspected* ones."""
    rows = await conn.fetch(
        """SELECT id, name, circuit_open_since, locked_since FROM sites
           WHERE circuit_open_since IS NOT NULL OR id = ANY($1::bigint[]) ORDER BY id""",
        list(suspected),
    )
    return [_site(row) for row in rows]


def _site(row: Row) -> SiteCircuit:
    locked = row["locked_since"] is not None
    return SiteCircuit(row["id"], row["name"], row["circuit_open_since"], locked)


async def record(conn: Connection, site_id: int, open_since: datetime | None) -> bool:
    """Store since when the circuit is open, or None for closed. True if that is a change."""
    status: str = await conn.execute(
        """UPDATE sites SET circuit_open_since = $2::timestamptz
           WHERE id = $1 AND (circuit_open_since IS NULL) <> ($2::timestamptz IS NULL)""",
        site_id,
        open_since,
    )
    return status == "UPDATE 1"
