"""Whether an origin's changelog shows that its link was removed.

A proof of absence says that a link is not there, not how it went. A site that was restored from a
backup has lost its newer links and proves their absence as well: to remove their mirrors would
carry the loss over. A removal leaves an entry in the changelogs of both ends, a restored backup
leaves none. So a removal that rests on an absence needs that entry, after our mirror was made; by
which account, and in which wording, does not matter.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from app.core.authorship import NO_DATE, SKEW
from app.core.errors import TransientError
from app.core.evidence import IssueView
from app.core.ledger import LinkKey
from app.core.links import IssueId, IssueKey, IssueRef, Link, LinkId, LinkType, Side
from app.core.removed_by import is_shown_removed
from app.jira.client import JiraClient
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context
from app.sync.runtime.side_by_side import side_by_side
from app.sync.sites.link_types import site_types
from app.sync.writes.proposal import Proposal

READS_AT_ONCE = 4
Views = Mapping[IssueId, IssueView]


async def unexplained(ctx: Context, look: Look, removals: Sequence[Proposal]) -> set[LinkKey]:
    """Those of these removals whose origin is gone without an entry that says so. A look that
    follows the event of a removal has read the changelogs already; else one shared call does.
    A changelog that cannot be read says nothing. Raises what else reading raises."""
    left = set()
    for side in Side:
        here = [it for it in removals if it.wanted.origin is side]
        if here:
            client = await ctx.sites.client(look.running.site(side))
            types = await site_types(ctx, client.site.id)
            left |= {it.key for it in await _unexplained(client, look, side, here, types)}
    return left


async def _unexplained(
    client: JiraClient, look: Look, side: Side, here: list[Proposal], types: Sequence[LinkType]
) -> list[Proposal]:
    views: Views = look.readings[side].issues
    here = [it for it in here if not _is_shown(look, it, views, types, {})]
    if not here:
        return here
    ends = sorted({end.id for it in here for end in _ends(look, it)})
    try:
        views = await _whole(client, ends)
    except TransientError as error:
        if not error.asks_for_less:
            raise
        return here
    here = [it for it in here if not _is_shown(look, it, views, types, {})]
    # An entry keeps the key that the other end had then.
    current = {view.ref.key for view in views.values()}
    named = {it.target for view in views.values() for it in view.changes or () if not it.added}
    if not here or not named - current:
        return here
    found = await client.resolve_keys(sorted(named - current))
    keys = {key: view.ref.id for key, view in found.items()}
    return [it for it in here if not _is_shown(look, it, views, types, keys)]


async def _whole(client: JiraClient, ends: Sequence[IssueId]) -> Views:
    views = (await client.read_issues(ends, changelog=True)).issues
    short = [view for view in views.values() if not view.changes_complete]
    whole = await side_by_side(READS_AT_ONCE, client.whole_changelog, short)
    return {**views, **{view.ref.id: view for view in whole if view is not None}}


def _is_shown(
    look: Look,
    it: Proposal,
    views: Views,
    types: Sequence[LinkType],
    keys: Mapping[IssueKey, IssueId],
) -> bool:
    pair = look.pair_types(it.key)
    assert pair is not None
    link = Link(LinkId(""), pair.on(it.wanted.origin).id, *_ends(look, it))
    return is_shown_removed(views, link, types, _since(look, it), keys)


def _since(look: Look, it: Proposal) -> datetime | None:
    """When our mirror was not there yet, by the clock of its origin's site; None where that is not
    known. How far the two sites' clocks differ, the two readings of this look say."""
    at = it.row.authored_after if it.row is not None else None
    here, there = (look.readings[side].at for side in (it.wanted.origin, it.wanted.origin.other))
    if at is None or NO_DATE in (at, here, there):
        return None
    return at + (here - there) - SKEW


def _ends(look: Look, it: Proposal) -> tuple[IssueRef, IssueRef]:
    return look.ends(it.key, it.wanted.origin)
