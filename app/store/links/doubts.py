"""Rows whose mirror was proven to be ours, and of which that is not known any more."""

from datetime import datetime

from app.core.ledger import Row
from app.store.links import made_links
from app.store.pool import Connection


async def doubt(conn: Connection, row: Row, *, now: datetime) -> None:
    """Who made its mirror is not known any more; nothing else of it changes."""
    await conn.execute(
        """UPDATE ledger SET authorship = 'unknown', version = version + 1, changed_at = $3
           WHERE id = $1 AND version = $2 AND authorship = 'ours'""",
        row.id,
        row.version,
        now,
    )


async def doubt_site(conn: Connection, site: int, *, now: datetime) -> int:
    """Every mirror on a site; answers how many. Call under the locks of its connections. Links
    that we made and manage no more are doubted as well: a look asks before it believes them."""
    await made_links.doubt(conn, site)
    status = await conn.execute(
        """UPDATE ledger SET authorship = 'unknown', version = version + 1, changed_at = $2
           WHERE mirror_site_id = $1 AND authorship = 'ours'""",
        site,
        now,
    )
    return int(status.rpartition(" ")[2])
