"""A site's link types as it spells them: stored ones, or fresh where these do not suffice."""

from collections.abc import Sequence

from app.core.links import LinkType
from app.store.config import sites
from app.sync.runtime.context import Context


async def site_types(ctx: Context, site: int) -> Sequence[LinkType]:
    """All link types of a site: a wording means something only among all others."""
    async with ctx.database.connection() as conn:
        return await sites.link_types(conn, site)


async def refreshed_types(ctx: Context, site: int) -> Sequence[LinkType]:
    """The site's link types as they are now; what is stored follows, as it does after a check:
    the read-back of a link needs to know its type."""
    client = await ctx.sites.client(site)
    await client.assure()
    found = await client.link_types()
    async with ctx.database.transaction() as conn:
        stored = await sites.link_types(conn, site)
        if sorted(stored, key=lambda it: it.id) != sorted(found, key=lambda it: it.id):
            await sites.replace_link_types(conn, site, found)
        return await sites.link_types(conn, site)
