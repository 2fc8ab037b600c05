"""Whether an account that is to be adopted writes links as a sync product does, or as a person.

A product's links are mirrors: each has an equal one on the other side, and not one that we made of
it. So every issue of the connection is read with its changelog, and what the account wrote there
without such a counterpart is counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from app.core.adoption import Pattern, Window
from app.core.authorship import authorship
from app.core.links import IssueId, Link, LinkType, Side
from app.store.config.active_connection import Running
from app.store.links import made_links, twins
from app.store.links.twins import Twin
from app.store.recovery import adoption_patterns, adoptions
from app.store.recovery.adoptions import Adoption
from app.sync.look.snapshot import Look
from app.sync.recovery.adopt_read import equal_listed, read_whole
from app.sync.runtime.context import Context
from app.sync.sites.link_types import refreshed_types

_EVER = datetime.min.replace(tzinfo=UTC)


async def count_page(
    ctx: Context, state: Running, it: Adoption, salt: bytes, *, size: int, patient: bool
) -> None:
    """The next twins of the connection, or the end. Raises what reading raises."""
    async with ctx.database.connection() as conn:
        ids = await twins.page(conn, state.id, after=it.twin_cursor, limit=size)
        page = list((await twins.by_ids(conn, state.id, ids)).values())
    found = await _count(ctx, state, page, it.window, salt, patient=patient)
    async with ctx.database.transaction() as conn:
        if not await adoptions.holds(conn, it):
            return
        if ids:
            await adoption_patterns.add(conn, it, found, cursor=ids[-1])
        else:
            await adoption_patterns.counted(conn, it)


async def _count(
    ctx: Context,
    state: Running,
    page: Sequence[Twin],
    window: Window,
    salt: bytes,
    *,
    patient: bool,
) -> Pattern:
    look = Look(state, ctx.clock(), {})
    look.know(page)
    types: dict[Side, Sequence[LinkType]] = {}
    for side in Side if page else ():
        types[side] = await refreshed_types(ctx, state.site(side))
        issues = {twin.on(side).id for twin in page}
        look.readings[side] = await read_whole(ctx, look, side, issues, salt, patient=patient)
        listed = list(_listed(look, page, side))
        far = {end for link in listed for end in (link.source.id, link.destination.id)} - issues
        async with ctx.database.connection() as conn:
            look.know((await twins.by_issues(conn, state.id, side, far)).values())
            ids = [link.id for link in listed]
            look.made[side] = set(await made_links.among(conn, state.site(side), ids))
    return sum((_of_side(look, page, side, types, window) for side in look.readings), Pattern(0, 0))


def _listed(look: Look, page: Iterable[Twin], side: Side) -> Iterable[Link]:
    """The links that the issues of the page list; one between two of them comes twice."""
    for twin in page:
        issue = twin.on(side).id
        view = look.readings[side].issues.get(issue)
        yield from (view.links or ()) if view is not None else ()


def _of_side(
    look: Look,
    page: Iterable[Twin],
    side: Side,
    types: Mapping[Side, Sequence[LinkType]],
    window: Window,
) -> Pattern:
    views = look.readings[side].issues
    paired = unpaired = 0
    for twin in page:
        issue = twin.on(side).id
        for link in _listed(look, [twin], side):
            if not _counted_at(look, side, issue, link):
                continue
            if authorship(views, link, types[side], window.account, _EVER) != "ours":
                continue
            pair = _has_counterpart(look, side, link)
            paired += pair is True
            unpaired += pair is False
    return Pattern(paired, unpaired)


def _counted_at(look: Look, side: Side, issue: IssueId, link: Link) -> bool:
    """At its source, or where that has no twin at its destination."""
    return link.source.id == issue or look.twin_at(side, link.source.id) is None


def _has_counterpart(look: Look, side: Side, link: Link) -> bool | None:
    """Whether the other side has an equal link that we did not make; None where its issues were
    not seen."""
    key = look.key_of(side, link.type_id, link.ends)
    if key is None:
        return False
    there = [it.id for it in equal_listed(look, key, side.other)]
    if any(it not in look.made[side.other] for it in there):
        return True
    read = look.readings[side.other].issues
    seen = any(end.id in read for end in look.ends(key, side.other))
    return False if seen else None
