"""Who removed a link that is gone: read from the changelogs of its two ends."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from app.core.authorship import wording_of
from app.core.evidence import IssueView, LinkChange
from app.core.links import AccountId, IssueId, IssueKey, Link, LinkType
from app.core.own_accounts import OwnAccounts


def removed_by_another(
    views: Mapping[IssueId, IssueView],
    link: Link,
    types: Sequence[LinkType],
    ours: OwnAccounts,
    since: datetime | None,
) -> bool:
    """Whether the changelog names another account as the one that removed *link* at or after
    *since* (Jira's clock). False also where it says nothing: a link that is gone then counts
    as removed by us, so that it can be restored.
    """
    authors = removers(views, link, types, since)
    return bool(ours.tenures) and bool(authors) and not ours.among(authors)


def removers(
    views: Mapping[IssueId, IssueView],
    link: Link,
    types: Sequence[LinkType],
    since: datetime | None,
) -> set[tuple[AccountId | None, datetime]]:
    """The authors of the entries at both ends by which *link* was removed at or after *since*, each
    with the time of its entry; None for one whom Jira does not name."""
    own = next((kind for kind in types if kind.id == link.type_id), None)
    if own is None or since is None:
        return set()
    ends = (
        (views.get(link.source.id), link.destination.key, own.outwards),
        (views.get(link.destination.id), link.source.key, own.inwards),
    )
    return {
        (change.author, change.at)
        for view, other, wordings in ends
        if view is not None
        for change in _removals(view, other, wordings, types, since)
    }


def _removals(
    view: IssueView,
    other: IssueKey,
    wordings: frozenset[str],
    types: Sequence[LinkType],
    since: datetime,
) -> list[LinkChange]:
    return [
        change
        for change in view.changes or ()
        if not change.added
        and change.at >= since
        and change.target == other
        and wording_of(change.text, other, types) in wordings
    ]
