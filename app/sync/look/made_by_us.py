"""Which of the links that a look shows this service made: none of them is ever an origin.

The id decides, together with type and ends: Jira never changes those of a link. Where the author
is in doubt the changelog is asked, once; until it has answered the link counts as ours, since
what is no origin changes nothing. So is every link that a database which went back in time does not
know, until that incident is resolved: we may have made it since.
"""

from collections.abc import Mapping

from app.core.authorship import Authorship, authorship_now
from app.core.incidents import IncidentKind
from app.core.links import Link, LinkId, Side
from app.store.alerts import incidents
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
        look.made[side] = (same - theirs) | await _forgotten(ctx, look, side, listed, made)


async def _forgotten(
    ctx: Context,
    look: Look,
    side: Side,
    listed: Mapping[LinkId, Link],
    made: Mapping[LinkId, Made],
) -> set[LinkId]:
    """Those of *listed* that nothing here knows, and that another account is not known to have
    made, while it may be that the database lost what we wrote."""
    site = look.running.site(side)
    rows = {row.link_on(side) for row in look.rows.values()}
    strange = {
        number: link
        for number, link in listed.items()
        if number not in made
        and number not in rows
        and look.key_of(side, link.type_id, link.ends) is not None
    }
    if not strange:
        return set()
    async with ctx.database.connection() as conn:
        if not await incidents.any_open(conn, IncidentKind.DATABASE_WENT_BACK):
            return set()
        for number in await made_links.rescued(conn, site, strange):
            del strange[number]  # a person's link that was put back by a rescue
    said = await _said(ctx, look, side, strange)
    ours = [strange[number] for number, word in said.items() if word == "ours"]
    async with ctx.database.transaction() as conn:
        await made_links.recall(conn, site, ours)
    return {number for number, word in said.items() if word != "theirs"}


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
    said = await _said(ctx, look, side, doubted)
    async with ctx.database.transaction() as conn:
        theirs = {link for link, word in said.items() if word == "theirs"}
        await made_links.disown(conn, site, theirs)
        await made_links.believe(conn, site, {it for it, word in said.items() if word == "ours"})
    return theirs


async def _said(
    ctx: Context, look: Look, side: Side, links: Mapping[LinkId, Link]
) -> dict[LinkId, Authorship]:
    """What the changelogs of their ends say now of who made these links."""
    if not links:
        return {}
    client = await ctx.sites.client(look.running.site(side))
    ends = {end.id for link in links.values() for end in (link.source, link.destination)}
    reading = await client.read_issues(sorted(ends), changelog=True)
    async with ctx.database.connection() as conn:
        types = await site_types.of_site(conn, client.site.id)
    return {
        number: authorship_now(reading.issues, link, types, client.site.own, None)
        for number, link in links.items()
    }
