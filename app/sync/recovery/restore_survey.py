"""What prevents each link of a plan from coming back, before a person decides about it.

Reads both ends of every link that is to come back, in bulk. It errs towards trying: what could
not be read stays in the plan, and is judged again right before it is made.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import groupby

from app.core.errors import TransientError
from app.core.evidence import IssueView, Reading
from app.core.links import IssueId, LinkType
from app.core.plan import PlanKind
from app.core.restore import LINKS_PER_ISSUE, Obstacle, Ready, Sought, Unread, judge
from app.jira.client import JiraClient
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.queue import inbox_events
from app.store.recovery import removed_since, restore_changes, restores
from app.store.recovery.restore_changes import PlanLink
from app.store.recovery.restores import Restore
from app.sync.runtime.context import Context
from app.sync.runtime.side_by_side import side_by_side
from app.sync.sites.link_types import refreshed_types

PAGE = 400
# Bulk reads of one page side by side: a plan of thousands should not wait for each round trip.
READS_AT_ONCE = 4
_LINKS_PER_READ = 50


async def survey(ctx: Context, it: Restore, *, lease: float) -> None:
    """Page by page, so that the next worker continues where this one died."""
    types: dict[int, Sequence[LinkType]] = {}
    while True:
        async with ctx.database.transaction() as conn:
            if not await restores.renew(conn, it, ctx.clock() + timedelta(seconds=lease)):
                raise TransientError("lease_lost")
            page = await restore_changes.unsurveyed(conn, it.plan_id, PAGE)
        if not page:
            return
        for site, group in groupby(page, key=lambda link: link.place.site):
            if site not in types:
                types[site] = await refreshed_types(ctx, site)
            await _survey(ctx, site, list(group), types[site])


async def _survey(
    ctx: Context, site: int, links: Sequence[PlanLink], types: Sequence[LinkType]
) -> None:
    client = await ctx.sites.client(site)

    async def read(some: Sequence[PlanLink]) -> Reading:
        return await read_ends(client, some)

    parts = [links[at : at + _LINKS_PER_READ] for at in range(0, len(links), _LINKS_PER_READ)]
    readings = await side_by_side(READS_AT_ONCE, read, parts)
    found = []
    for part, reading in zip(parts, readings, strict=True):
        verdicts = await judged(ctx, client, part, reading, types)
        found += [_noted(link, verdict) for link, verdict in verdicts]
    async with ctx.database.transaction() as conn:
        await restore_changes.surveyed(conn, found)


async def read_ends(client: JiraClient, links: Sequence[PlanLink]) -> Reading:
    """Both ends of each link, in as few calls as it takes."""
    ends = {end for link in links for end in (link.source.id, link.destination.id)}
    return await client.read_issues(sorted(ends), bulk=True)


async def judged(
    ctx: Context,
    client: JiraClient,
    links: Sequence[PlanLink],
    reading: Reading,
    types: Sequence[LinkType],
) -> list[tuple[PlanLink, Ready | Obstacle | Unread]]:
    """Each link with what the reading says of it."""
    limit = LINKS_PER_ISSUE if client.site.deployment == "cloud" else None
    missing = [IssueId(name) for name, why in reading.unread.items() if why == "not_returned"]
    deleted: set[IssueId] = set()
    if missing:
        async with ctx.database.connection() as conn:
            deleted = set(await inbox_events.deleted_issues(conn, client.site.id, missing))
    found = [
        (
            link,
            judge(
                Sought(link.place.type_id, link.ends), reading, types, deleted=deleted, limit=limit
            ),
        )
        for link in links
    ]
    reach = await _reach(ctx, links)
    within = [(link, _within(reach, link, verdict)) for link, verdict in found]
    # A rescue names the account whose removal is the last one.
    ready = [
        link
        for link, it in within
        if isinstance(it, Ready) and not link.again and link.kind is not PlanKind.RESCUE
    ]
    async with ctx.database.connection() as conn:
        lost = await removed_since.made_since(conn, ready)
    return [(link, Obstacle("removed_since") if link.place in lost else it) for link, it in within]


async def _reach(ctx: Context, links: Sequence[PlanLink]) -> dict[int, Running | None]:
    """The connections of what confined callers asked for."""
    wanted = {link.connection_id for link in links if link.confined}
    if not wanted:
        return {}
    async with ctx.database.connection() as conn:
        return {it: await active_connection.load(conn, it) for it in wanted}


def _within(
    reach: Mapping[int, Running | None], link: PlanLink, verdict: Ready | Obstacle | Unread
) -> Ready | Obstacle | Unread:
    if not isinstance(verdict, Ready) or not link.confined:
        return verdict
    state, views = reach[link.connection_id], (verdict.source, verdict.destination)
    return verdict if reaches(state, link, views) else Obstacle("out_of_scope")


def reaches(state: Running | None, link: PlanLink, views: Iterable[IssueView]) -> bool:
    """Whether who asked for it may have it written. Projects may have been taken away from a
    confined caller because another tenant has them now, and issues may have moved there."""
    if not link.confined:
        return True
    if state is None:
        return False
    projects = state.config.end(state.side_of(link.place.site)).projects
    return all(view.project in projects for view in views)


def _noted(link: PlanLink, verdict: Ready | Obstacle | Unread) -> tuple[PlanLink, str | None]:
    """With the keys that the issues have now; only what certainly prevents it counts."""
    if isinstance(verdict, Ready):
        ends = verdict.source.ref, verdict.destination.ref
        return replace(link, source=ends[0], destination=ends[1]), None
    return link, verdict.reason if isinstance(verdict, Obstacle) else None
