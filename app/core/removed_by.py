"""Who removed a link that is gone, and whether it was made at all: read from the changelogs of its
two ends."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from app.core.authorship import wording_of
from app.core.evidence import IssueView, LinkChange
from app.core.links import AccountId, IssueId, IssueRef, Link, LinkType
from app.core.own_accounts import OwnAccounts


def removed_by_another(
    views: Mapping[IssueId, IssueView],
    link: Link,
    types: Sequence[LinkType],
    ours: OwnAccounts,
    since: datetime | None,
) -> bool:
    """Whether the changelog names an account that was not ours then as the one that removed
    *link* at or after *since* (Jira's clock). False also where it says nothing: a link that is gone
    then counts as removed by us, so that it can be restored.
    """
    authors = removers(views, link, types, since)
    return bool(ours.tenures) and bool(authors) and not ours.among(authors)


def made_and_removed(
    views: Mapping[IssueId, IssueView],
    link: Link,
    types: Sequence[LinkType],
    ours: OwnAccounts,
    since: datetime | None,
) -> bool:
    """Whether the changelog of an end shows that we made *link* at or after *since* and another
    account removed it after that: by whatever id, it was there and somebody did not want it."""
    for changes in _entries(views, link, types, since):
        made = False
        for change in changes:
            by_us = ours.wrote(change.author, change.at)
            if change.added:
                made = by_us
            elif made and not by_us:
                return True
    return False


def removers(
    views: Mapping[IssueId, IssueView],
    link: Link,
    types: Sequence[LinkType],
    since: datetime | None,
) -> set[tuple[AccountId | None, datetime]]:
    """The authors of the entries at both ends by which *link* was removed at or after *since*, each
    with the time of its entry; None for one whom Jira does not name."""
    return {
        (change.author, change.at)
        for changes in _entries(views, link, types, since)
        for change in changes
        if not change.added
    }


def _entries(
    views: Mapping[IssueId, IssueView],
    link: Link,
    types: Sequence[LinkType],
    since: datetime | None,
) -> Iterator[list[LinkChange]]:
    """The entries of each end that read like *link*, at or after *since*, oldest first."""
    own = next((kind for kind in types if kind.id == link.type_id), None)
    if own is None or since is None:
        return
    ends = (
        (views.get(link.source.id), link.destination, own.outwards),
        (views.get(link.destination.id), link.source, own.inwards),
    )
    for view, other, wordings in ends:
        if view is not None:
            yield [
                change
                for change in view.changes or ()
                if change.at >= since
                and _names(views, change, other)
                and wording_of(change.text, change.target, types) in wordings
            ]


def _names(views: Mapping[IssueId, IssueView], change: LinkChange, other: IssueRef) -> bool:
    """By the key that the other end had then, or the one that it has now."""
    now = views.get(other.id)
    return change.target == other.key or (now is not None and change.target == now.ref.key)
