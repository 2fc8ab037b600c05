"""Which of the links that a look shows this service made: none of them is ever an origin.

The id decides, together with type and ends: Jira never changes those of a link. Where the author
is in doubt the changelog is asked, once; until it has answered the link counts as ours, since
what is no origin changes nothing.
"""

from collections.abc import Mapping

from app.core.authorship import authorship_now
from app.core.links import Link, LinkId, Side
from app.store.config import site_types
from app.store.links import made_links, managers
from app.store.links.made_links import Made
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context


async def know(ctx: Context, look: Look) -> None:
    """Mark the shown links that we made, and those that another connection manages."""
    for side in Side:
        site = look.running.site(side)
        listed = {link.id: link for link in look.listed(side)}
        answered = {
            link for (at, _), links in look.unlisted.items() if at is side for link in links
        }
        if not listed and not answered:
            continue
        async with ctx.database.connection() as conn:
            look.foreign[side] = await managers.managed_elsewhere(
                conn, look.running.id, site, listed.keys() | answered
            )
            made = await made_links.among(conn, site, listed.keys() | answered)
        same = {link for link, it in made.items() if _is_same(it, listed.get(link))}
        managed = {row.mirror_id for row in look.rows.values() if row.mirror is side}
        doubted = {it for it in same if made[it].doubted and it in listed and it not in managed}
        theirs = await _theirs(ctx, look, side, {it: listed[it] for it in doubted})
        look.made[side] = same - theirs


def _is_same(made: Made, link: Link | None) -> bool:
    """What is not listed has answered by its id, with the type and ends that are looked for."""
    return link is None or made.names(link.type_id, link.ends)


async def _theirs(
    ctx: Context, look: Look, side: Side, doubted: Mapping[LinkId, Link]
) -> set[LinkId]:
    """Those of *doubted* that another account made; what the changelog says of any is kept."""
    if not doubted:
        return set()
    site = look.running.site(side)
    client = await ctx.sites.client(site)
    ends = {end.id for link in doubted.values() for end in (link.source, link.destination)}
    reading = await client.read_issues(sorted(ends), changelog=True)
    async with ctx.database.transaction() as conn:
        types = await site_types.of_site(conn, site)
        said = {
            number: authorship_now(reading.issues, link, types, client.site.own, None)
            for number, link in doubted.items()
        }
        theirs = {link for link, word in said.items() if word == "theirs"}
        await made_links.disown(conn, site, theirs)
        await made_links.believe(conn, site, {it for it, word in said.items() if word == "ours"})
    return theirs
