"""Who made a link, by changelogs that were read just now.

Authorship is a proof of now, not of then: a Jira that was restored from a backup hands out its ids
again, and a link that a person made since may have the id, type and ends of a mirror of ours. So
this is asked for every removal, whatever the ledger remembers.

One shared call reads both ends of all links. Only where that leaves an author unknown more is
asked: whole changelogs, the link types as the site spells them today, and where the keys in old
entries lead. A link that another account made may have been adopted: it may be removed if the
account that it was adopted from made what is there now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.core.accounts import disguised
from app.core.authorship import authorship_now, understood
from app.core.evidence import IssueView
from app.core.ledger import Authorship
from app.core.links import IssueId, IssueKey, Link, LinkId, LinkType
from app.core.own_accounts import OwnAccounts, Tenure
from app.jira.client import JiraClient
from app.store.config import account_salt
from app.store.recovery import adoptions
from app.sync.runtime.context import Context
from app.sync.runtime.side_by_side import side_by_side
from app.sync.sites.link_types import refreshed_types, site_types

READS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """A link, and Jira's `Date` of a reading that did not show it yet, where there is one."""

    link: Link
    pre_read: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known by now of the links of one site."""

    views: Mapping[IssueId, IssueView]
    types: Sequence[LinkType]
    keys: Mapping[IssueKey, IssueId]

    def author(self, asked: Asked, ours: OwnAccounts) -> Authorship:
        said = authorship_now(self.views, asked.link, self.types, ours, asked.pre_read, self.keys)
        return Authorship(said)


async def authors(ctx: Context, client: JiraClient, asked: Sequence[Asked]) -> list[Authorship]:
    """Who made each of these links of one site. Raises what reading raises."""
    ends = {end for it in asked for end in _ends(it.link)}
    reading = await client.read_issues(sorted(ends), changelog=True)
    seen = _Seen(reading.issues, await site_types(ctx, client.site.id), {})
    ours = client.site.own
    found = [seen.author(it, ours) for it in asked]
    # Also where they say that another made it: an entry of ours may name a key of before.
    unclear = [it.link for it, by in zip(asked, found, strict=True) if by is not Authorship.OURS]
    if unclear:
        seen = await _ask_more(ctx, client, seen, unclear)
        found = [seen.author(it, ours) for it in asked]
    others = [it.link for it, by in zip(asked, found, strict=True) if by is not Authorship.OURS]
    if not others:
        return found
    adopted = await _adopted(ctx, client, seen, others)
    return [
        Authorship.ADOPTED if it.link.id in adopted else by
        for it, by in zip(asked, found, strict=True)
    ]


async def _ask_more(ctx: Context, client: JiraClient, seen: _Seen, links: Sequence[Link]) -> _Seen:
    """What may make these links' authors known."""
    ends = {end for link in links for end in _ends(link)}
    short = [view for end in ends if (view := seen.views.get(end)) and not view.changes_complete]
    whole = await side_by_side(READS_AT_ONCE, client.whole_changelog, short)
    views = {**seen.views, **{view.ref.id: view for view in whole if view is not None}}
    types = seen.types
    if not all(
        understood(views[end], link, types) for link in links for end in _ends(link) if end in views
    ):
        types = await refreshed_types(ctx, client.site.id)
    current = {view.ref.key for view in views.values()}
    named = {it.target for end in ends if end in views for it in views[end].changes or ()}
    found = await client.resolve_keys(sorted(named - current))
    keys = {key: view.ref.id for key, view in found.items()}
    return _Seen(views, types, keys)


async def _adopted(
    ctx: Context, client: JiraClient, seen: _Seen, links: Sequence[Link]
) -> set[LinkId]:
    """Those of *links* that were adopted, and that the account that they were adopted from made:
    accounts are stored keyed, so they are compared keyed."""
    async with ctx.database.connection() as conn:
        accounts = await adoptions.adopted_from(conn, client.site.name, [it.id for it in links])
        if not accounts:
            return set()
        salt = await account_salt.salt(conn)
    keyed = replace(
        seen, views={issue: disguised(view, salt) for issue, view in seen.views.items()}
    )
    return {
        link.id
        for link in links
        if link.id in accounts and _made_by(keyed, link, accounts[link.id])
    }


def _made_by(keyed: _Seen, link: Link, account: Tenure) -> bool:
    return keyed.author(Asked(link), OwnAccounts((account,))) is Authorship.OURS


def _ends(link: Link) -> tuple[IssueId, IssueId]:
    return link.source.id, link.destination.id
