"""Projects of connections that Jira does not show us, since when."""

from collections.abc import Iterable
from datetime import datetime

from app.core.links import ProjectKey
from app.store.pool import Connection


async def of_site(conn: Connection, site_id: int) -> set[ProjectKey]:
    """Projects of the site that Jira does not show to our account."""
    rows = await conn.fetch("SELECT project FROM unseen_projects WHERE site_id = $1", site_id)
    return {ProjectKey(row["project"]) for row in rows}


async def add(conn: Connection, site_id: int, unseen: Iterable[ProjectKey], now: datetime) -> None:
    """Add projects; those that are known keep their time."""
    await conn.execute(
        """INSERT INTO unseen_projects (site_id, project, since)
           SELECT $1, project, $3 FROM unnest($2::text[]) AS p (project) ORDER BY project
           ON CONFLICT DO NOTHING""",
        site_id,
        sorted(unseen),
        now,
    )


async def keep(conn: Connection, site_id: int, unseen: Iterable[ProjectKey], now: datetime) -> None:
    """These and no others, each since it was first found so."""
    those = sorted(unseen)
    await conn.execute(
        "DELETE FROM unseen_projects WHERE site_id = $1 AND project <> ALL($2::text[])",
        site_id,
        those,
    )
    await add(conn, site_id, those, now)
