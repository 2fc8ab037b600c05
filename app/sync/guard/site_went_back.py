"""A Jira that went back in time: a restored backup, or an import, that hands out ids again.

What shows it is never a clock, and nothing that a user of that Jira could do: a link that the
changelog proved to be ours is another account's under the same id, or one that we removed answers
again. Then nothing that the ledger knows by ids of that site is certain: who made its mirrors is
not known any more, nothing is written there until a person resumes, and even then every removal
is held until the incident is resolved.
"""

from datetime import timedelta

import structlog

from app.core.config import Mode
from app.core.incidents import Detail, Impact, IncidentKind
from app.store.alerts import incidents
from app.store.config import active_connection, connections
from app.store.links import doubts
from app.sync.incidents.timeline import open_or_note
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)

WENT_BACK = IncidentKind.SITE_WENT_BACK


LATELY = timedelta(days=30)
"""A sign that is found so long after an incident is another one's."""


async def is_known(ctx: Context, site: int) -> bool:
    """Whether an incident says so of this site, open or resolved lately."""
    async with ctx.database.connection() as conn:
        since = ctx.clock() - LATELY
        return await incidents.open_or_resolved_since(conn, WENT_BACK, site, since)


async def stop(ctx: Context, site: int, sign: str) -> None:
    """Under the locks that every intent takes: once this commits, nothing older is written."""
    async with ctx.database.transaction() as conn:
        now = ctx.clock()
        await active_connection.lock_sites(conn, {site})
        stopped = 0
        for connection_id in await connections.of_site(conn, site):
            state = await active_connection.lock(conn, connection_id)
            if state is None:
                continue
            await connections.set_paused(conn, connection_id, at=now, by=WENT_BACK)
            if state.mode is Mode.LIVE:
                await connections.set_mode(conn, connection_id, Mode.REVIEW)
            stopped += 1
        doubted = await doubts.doubt_site(conn, site, now=now)
        detail: Detail = {"sign": sign, "connections": stopped, "links": doubted}
        await open_or_note(
            conn, WENT_BACK, site_id=site, now=now, detail=detail, impact=Impact.MAJOR
        )
    _LOG.error(WENT_BACK, site=site, sign=sign, links=doubted, hint="twinlink resume")
