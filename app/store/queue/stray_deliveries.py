"""Deliveries that reach no site or cannot be checked, counted by the site that was meant.

| fault | what came |
|---|---|
| path | to nearly the right path: a trailing slash, capitals |
| deleted | to a site that was deleted here, and whose Jira goes on delivering |
| unsigned | to the right path, without any signature |

Jira repeats none of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from app.store.pool import Connection

Fault = Literal["path", "deleted", "unsigned"]
Stray = tuple[str, Fault]
"""The site's name, and what is wrong."""

FRESH = timedelta(days=1)
"""How long after the last one it is worth saying."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Deliveries for one name with one fault, since they began to come."""

    site: str
    fault: Fault
    total: int
    first_at: datetime
    last_at: datetime


async def count(conn: Connection, counts: Mapping[Stray, int], *, now: datetime) -> None:
    """Add to what was counted. What was quiet for longer than `FRESH` begins again."""
    rows = sorted((site, fault, number) for (site, fault), number in counts.items())
    await conn.executemany(
        """INSERT INTO stray_deliveries AS s (site, fault, total, first_at, last_at)
           VALUES ($1, $2, $3, $4, $4)
           ON CONFLICT (site, fault) DO UPDATE SET
               total = CASE WHEN s.last_at > $5 THEN s.total ELSE 0 END + $3,
               first_at = CASE WHEN s.last_at > $5 THEN s.first_at ELSE $4 END, last_at = $4""",
        [(*row, now, now - FRESH) for row in rows],
    )


async def fresh(conn: Connection, *, now: datetime, site: str | None = None) -> list[Counted]:
    """What came within `FRESH`, of one site or of all."""
    rows = await conn.fetch(
        """SELECT site, fault, total, first_at, last_at FROM stray_deliveries
           WHERE last_at > $1 AND total > 0 AND ($2::text IS NULL OR site = $2)
           ORDER BY site, fault""",
        now - FRESH,
        site,
    )
    return [Counted(*row.values()) for row in rows]


async def deleted_names(conn: Connection) -> frozenset[str]:
    """Names of sites that were deleted and may still get deliveries."""
    rows = await conn.fetch("SELECT site FROM stray_deliveries WHERE fault = 'deleted'")
    return frozenset(row["site"] for row in rows)


async def deleted(conn: Connection, site: str, *, now: datetime) -> None:
    """Remember the name, so that what still comes for it is known."""
    await forget(conn, site)
    await conn.execute(
        """INSERT INTO stray_deliveries (site, fault, total, first_at, last_at)
           VALUES ($1, 'deleted', 0, $2, $2)""",
        site,
        now,
    )


async def forget(conn: Connection, site: str) -> None:
    """The name has a site from now on, or has none any more: what was counted is another's."""
    await conn.execute("DELETE FROM stray_deliveries WHERE site = $1", site)
