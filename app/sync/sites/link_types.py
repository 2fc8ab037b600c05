"""A site's link types as it spells them: stored ones, or fresh where these do not suffice.

Administrators of Jira rename types, and so does Atlassian. Each time a client makes sure that it
is known to its site, once a minute at most, it reads the types as well; where they differ from
what is stored, that follows. So a new name is known within a minute of work, without a check.
"""

from collections.abc import Sequence

import structlog

from app.core.links import LinkType
from app.store.config import site_types as stored_types
from app.store.pool import Database
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)


async def site_types(ctx: Context, site: int) -> Sequence[LinkType]:
    """All link types of a site: a wording means something only among all others."""
    async with ctx.database.connection() as conn:
        return await stored_types.of_site(conn, site)


async def refreshed_types(ctx: Context, site: int) -> Sequence[LinkType]:
    """The site's link types as they are now; what is stored follows, as it does after a check:
    the read-back of a link needs to know its type."""
    client = await ctx.sites.client(site)
    await client.assure()
    await follow(ctx.database, site, await client.link_types())
    return await site_types(ctx, site)


async def follow(database: Database, site: int, found: Sequence[LinkType]) -> None:
    """Store the link types of the pinned site where they differ from what is stored."""
    async with database.connection() as conn:
        stored = await stored_types.of_site(conn, site)
    if _in_order(stored) == _in_order(found):
        return
    async with database.transaction() as conn:
        await stored_types.replace(conn, site, found)
    _LOG.info("link_types_changed", site=site)


def _in_order(types: Sequence[LinkType]) -> list[LinkType]:
    return sorted(types, key=lambda it: it.id)
