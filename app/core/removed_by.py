"""Who removed a link that is gone, and whether it was made at all: read from the changelogs of its
two ends.

Accounts are keyed before they are kept: equal ones show as equal, and none is named. Whose one is,
Jira shows to those who may see it there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.core.accounts import keyed
from app.core.authorship import wording_of
from app.core.evidence import IssueView, LinkChange
from app.core.links import AccountId, IssueId, IssueKey, IssueRef, Link, LinkType
from app.core.own_accounts import OwnAccounts

OURS, UNNAMED = "twinlink", "unnamed"
_EVER = datetime.min.replace(tzinfo=UTC)
_SHOWN = 12
"""Digits of a keyed account: enough to tell those of one installation apart."""


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


def is_shown_removed(
    views: Mapping[IssueId, IssueView],
    link: Link,
    types: Sequence[LinkType],
    since: datetime | None,
    keys: Mapping[IssueKey, IssueId],
) -> bool:
    """Whether the changelog of an end has an entry at or after *since* by which *link* was removed,
    by any account. A wording that this site does not have any more counts as the link's. *keys*
    are the issues that former keys lead to."""
    own = next((kind for kind in types if kind.id == link.type_id), None)
    if own is None:
        return False
    ends = (
        (views.get(link.source.id), link.destination, own.outwards),
        (views.get(link.destination.id), link.source, own.inwards),
    )
    for view, other, wordings in ends:
        for change in (view.changes or ()) if view is not None else ():
            if change.added or (since is not None and change.at < since):
                continue
            if not _names(views, change, other) and keys.get(change.target) != other.id:
                continue
            spelled = wording_of(change.text, change.target, types)
            if spelled is None or spelled in wordings:
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


@dataclass(frozen=True, slots=True)
class OriginRemoval:
    """The latest removal of an origin, by Jira's clock. *account* is keyed, or `OURS`; `UNNAMED`
    where Jira names none: an automation, a deleted or a hidden user."""

    account: str
    at: datetime


def origin_removal(
    views: Mapping[IssueId, IssueView],
    link: Link,
    types: Sequence[LinkType],
    ours: OwnAccounts,
    salt: bytes,
) -> OriginRemoval | None:
    """None where the changelogs of both ends say nothing of it."""
    found = removers(views, link, types, _EVER)
    if not found:
        return None
    author, at = max(found, key=lambda it: (it[1], it[0] or ""))
    if author is None:
        return OriginRemoval(UNNAMED, at)
    account = OURS if ours.wrote(author, at) else keyed(author, salt)[:_SHOWN]
    return OriginRemoval(account, at)


def facts(found: Sequence[OriginRemoval]) -> dict[str, str | int]:
    """Of an incident: how many accounts removed how many origins, and within what time."""
    first, last = min(it.at for it in found), max(it.at for it in found)
    return {
        "origin_removals": len(found),
        "origin_accounts": len({it.account for it in found}),
        "origin_first": _text(first),
        "origin_last": _text(last),
        "origin_seconds": -(-(last - first) // timedelta(seconds=1)),
    }


def in_words(removals: int, accounts: int, seconds: int) -> str:
    """Such as `one account, 60 removals within 4 s`."""
    who = "one account" if accounts == 1 else f"{accounts} accounts"
    what = "one removal" if removals == 1 else f"{removals} removals within {max(1, seconds)} s"
    return f"{who}, {what}"


def evidence(it: OriginRemoval, address: str) -> dict[str, str]:
    """Of a change in a plan. *address* is the issue in Jira, whose history names the account."""
    return {
        "origin_removed_by": it.account,
        "origin_removed_at": _text(it.at),
        "origin_history": address,
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


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
