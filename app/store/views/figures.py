"""Figures of the whole installation, for its metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class LastDeliveries:
    """When each site's last accepted delivery came; `until` is the last inbox row looked at."""

    by_site: Mapping[str, datetime]
    until: int


async def last_deliveries(conn: Connection, after: int) -> LastDeliveries:
    """Of inbox rows beyond *after*: 14 days of them, the first time."""
    rows = await conn.fetch(
        """SELECT s.name, max(i.received_at) AS at, max(i.id) AS id
           FROM inbox i JOIN sites s ON s.id = i.site_id WHERE i.id > $1 GROUP BY s.name""",
        after,
    )
    until = max((row["id"] for row in rows), default=after)
    return LastDeliveries({row["name"]: row["at"] for row in rows}, until)


async def links(conn: Connection) -> dict[tuple[str, str], int]:
    """Links by connection and state."""
    rows = await conn.fetch(
        """SELECT c.name, k.state, k.links FROM link_counts k
           JOIN connections c ON c.id = k.connection_id AND c.deleted_at IS NULL
           WHERE k.links > 0"""
    )
    return {(row["name"], row["state"]): row["links"] for row in rows}


async def unseen_projects(conn: Connection) -> dict[str, int]:
    """By site, those without any left out."""
    rows = await conn.fetch(
        """SELECT s.name, count(*) AS n FROM unseen_projects u JOIN sites s ON s.id = u.site_id
           GROUP BY s.name"""
    )
    return {row["name"]: row["n"] for row in rows}


async def open_incidents(conn: Connection) -> dict[str, int]:
    """By impact."""
    rows = await conn.fetch(
        "SELECT impact, count(*) AS n FROM incidents WHERE state <> 'resolved' GROUP BY impact"
    )
    return {row["impact"]: row["n"] for row in rows}


async def unmanaged_removed(conn: Connection) -> int:
    """Removals by our account that nothing accounts for, as the monitor found them, ever."""
    found: int = await conn.fetchval(
        "SELECT count(*) FROM monitor_findings WHERE verdict <> 'unclear'"
    )
    return found


async def alive(conn: Connection, since: datetime) -> int:
    """Workers that have given a sign since then."""
    found: int = await conn.fetchval("SELECT count(*) FROM workers WHERE seen_at > $1", since)
    return found
