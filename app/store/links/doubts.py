"""Withdraw the proof that we made a mirror: its author becomes unknown."""

from datetime import datetime

from app.core.ledger import Row
from app.store.links import made_links
from app.store.pool import Connection

# When a suspended row was suspended counts in the guard's windows.
_SINCE = "CASE state WHEN 'suspended' THEN changed_at ELSE {} END"


async def doubt(conn: Connection, row: Row, *, now: datetime) -> None:
    """Set the author of one row's mirror to unknown; nothing else changes."""
    await conn.execute(
        f"""UPDATE ledger SET authorship = 'unknown', version = version + 1,
               changed_at = {_SINCE.format("$3")}
           WHERE id = $1 AND version = $2
             AND authorship IN ('ours', 'adopted')""",  # noqa: S608 - texts of ours
        row.id,
        row.version,
        now,
    )


async def doubt_site(conn: Connection, site: int, *, now: datetime) -> int:
    """The same for every mirror on a site, and for links that we made but no longer manage; returns
    how many mirrors. Call under the locks of the site's connections."""
    await made_links.doubt(conn, site)
    status = await conn.execute(
        f"""UPDATE ledger SET authorship = 'unknown', version = version + 1,
               changed_at = {_SINCE.format("$2")}
           WHERE mirror_site_id = $1 AND authorship IN ('ours', 'adopted')""",  # noqa: S608
        site,
        now,
    )
    return int(status.rpartition(" ")[2])
