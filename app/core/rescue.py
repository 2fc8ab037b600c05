"""Links that another account removed, read from the changelogs of their ends.

An entry describes one end: by key and by the type's wording, in the account's language. A
link is only taken as removed if both ends show it, so these cases stay out:

==========================================================  ======================
the wording is not one of the site's                        `wording_unknown`
the wording belongs to several types                        `type_ambiguous`
the named key leads to no issue that we can see             `issue_not_seen`
the other end does not show it at that time                 `one_sided`
the last word about the link, at either end, is another's   `changed_since`
Jira shows less of an issue's changelog than a moment ago   `changelog_incomplete`
==========================================================  ======================

An entry of a symmetric type has no direction: the lower issue id becomes the source, which is an
equal link.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.authorship import wording_of
from app.core.evidence import LinkChange
from app.core.links import AccountId, Ends, IssueId, IssueKey, IssueRef, LinkType

# Both ends of one removal are written by one request; Jira's own writing may take a moment.
TOGETHER = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Culprit:
    """The account whose removals are sought, at or after *since* and before *until*, by Jira's
    clock."""

    account: AccountId
    since: datetime
    until: datetime

    def did(self, change: LinkChange) -> bool:
        return (
            not change.added
            and change.author == self.account
            and self.since <= change.at < self.until
        )


@dataclass(frozen=True, slots=True)
class Removed:
    """A link as it was, and when it was removed."""

    kind: LinkType
    source: IssueRef
    destination: IssueRef
    at: datetime


@dataclass(frozen=True, slots=True)
class _Told:
    """One entry of one end, with the other end resolved."""

    kind: LinkType
    ends: Ends
    change: LinkChange


@dataclass(frozen=True, slots=True)
class Found:
    """`unread` counts the entries that name no link which could be put back."""

    removed: tuple[Removed, ...]
    unread: Mapping[str, int]


def named_keys(changes: Iterable[LinkChange], culprit: Culprit) -> set[IssueKey]:
    """The issues at the other ends of what was removed."""
    return {change.target for change in changes if culprit.did(change)}


def removed_links(
    issues: Mapping[IssueId, IssueRef],
    changes: Mapping[IssueId, Sequence[LinkChange]],
    keys: Mapping[IssueKey, IssueId],
    types: Sequence[LinkType],
    culprit: Culprit,
) -> Found:
    """See the table. `changes` are whole changelogs of every end, oldest first; `keys` say
    which issue a key leads to now, moved ones too."""
    unread: Counter[str] = Counter()
    told: dict[tuple[IssueId, LinkType, Ends], LinkChange] = {}
    wanted: dict[tuple[LinkType, Ends], datetime] = {}
    for issue, entries in changes.items():
        for change in entries:
            one = _tell(issue, change, keys, types)
            if isinstance(one, _Told):
                told[issue, one.kind, one.ends] = change
                if culprit.did(change):
                    wanted[one.kind, one.ends] = change.at
            elif culprit.did(change):
                unread[one] += 1
    removed = []
    for (kind, ends), at in wanted.items():
        why = _disputed([told.get((end, kind, ends)) for end in _both(ends)], culprit)
        if why is not None:
            unread[why] += 1
        else:
            removed.append(Removed(kind, issues[ends.source], issues[ends.destination], at))
    return Found(tuple(removed), dict(unread))


def _tell(
    issue: IssueId,
    change: LinkChange,
    keys: Mapping[IssueKey, IssueId],
    types: Sequence[LinkType],
) -> _Told | str:
    other = keys.get(change.target)
    if other is None:
        return "issue_not_seen"
    wording = wording_of(change.text, change.target, types)
    if wording is None:
        return "wording_unknown"
    owners = [it for it in types if wording in it.inwards | it.outwards]
    if len(owners) != 1:
        return "type_ambiguous"
    kind = owners[0]
    ends = Ends(issue, other) if wording in kind.outwards else Ends(other, issue)
    return _Told(kind, ends.canonical(symmetric=kind.symmetric), change)


def _disputed(last: Sequence[LinkChange | None], culprit: Culprit) -> str | None:
    """The last word of each end about this link must be this removal."""
    first, second = last
    if first is None or second is None:
        return "one_sided"
    if not culprit.did(first) or not culprit.did(second):
        return "changed_since"
    return None if abs(first.at - second.at) <= TOGETHER else "one_sided"


def _both(ends: Ends) -> tuple[IssueId, IssueId]:
    return ends.source, ends.destination
