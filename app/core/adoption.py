"""Which pairs of equal links become ours: those of which one account wrote exactly one side.

Another sync product leaves an origin that a person made and a mirror that its account made. What
each side's changelogs say of the account, and what follows for the pair:

===================  ===================  ==========================
one side             the other            outcome
===================  ===================  ==========================
within the window    another account      adopt; it is the mirror
within the window    the same account     skipped: `ambiguous`
within the window    unknown              skipped: `author_unknown`
at another time      another account      skipped: `outside_window`
at another time      at another time      skipped: `ambiguous`
at another time      unknown              skipped: `author_unknown`
another account      another account      skipped: `not_written`
another account      unknown              skipped: `author_unknown`
unknown              unknown              skipped: `author_unknown`
===================  ===================  ==========================

Errs towards leaving alone: an adopted mirror may be removed later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from app.core.authorship import authorship
from app.core.evidence import IssueView
from app.core.links import AccountId, IssueId, Link, LinkType, Side

_EVER = datetime.min.replace(tzinfo=UTC)


class Wrote(StrEnum):
    """What one side's changelogs say about the account and the link on that side."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    ANOTHER = "another"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Window:
    """The account whose links are taken over, as `keyed` returns it, and when it wrote them: from
    *since*, before *until*, by Jira's clock."""

    account: AccountId
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Pattern:
    """What an account wrote on the issues of a connection: `paired` links have an equal one on the
    other side that we did not make, as a mirror and its origin do; `unpaired` have none. A sync
    product leaves hardly any of those, a person hardly any others."""

    paired: int
    unpaired: int

    def __add__(self, other: "Pattern") -> "Pattern":
        return Pattern(self.paired + other.paired, self.unpaired + other.unpaired)


@dataclass(frozen=True, slots=True)
class Adopt:
    """The pair becomes managed, with the link on *mirror* as the mirror."""

    mirror: Side


@dataclass(frozen=True, slots=True)
class Skip:
    """The pair is left alone. `reason` is a word of the table."""

    reason: str


def wrote(
    views: Mapping[IssueId, IssueView], link: Link, types: Sequence[LinkType], window: Window
) -> Wrote:
    """`views` are the two ends with their changelogs, disguised. An end that is missing, or whose
    changelog was cut off, makes the answer unknown: the missing entries may be those that count."""
    whole = {end: views[end] for end in (link.source.id, link.destination.id) if end in views}
    if len(whole) < 2 or any(not view.changes_complete for view in whole.values()):
        return Wrote.UNKNOWN

    def says(seen: Mapping[IssueId, IssueView], since: datetime) -> str:
        return authorship(seen, link, types, window.account, since)

    by = says(whole, _EVER)
    if by != "ours":
        return Wrote.ANOTHER if by == "theirs" else Wrote.UNKNOWN
    before = {end: _until(view, window.until) for end, view in whole.items()}
    inside = (
        says(whole, window.since) == "ours"
        and says(before, window.since) == "ours"
        # Made again after the window: the link that exists now is not the one written in it.
        and says(whole, window.until) != "ours"
    )
    return Wrote.INSIDE if inside else Wrote.OUTSIDE


def judge(left: Wrote, right: Wrote) -> Adopt | Skip:
    """See the table."""
    by_account = {Wrote.INSIDE, Wrote.OUTSIDE}
    if Wrote.UNKNOWN in (left, right):
        return Skip("author_unknown")
    if left in by_account and right in by_account:
        return Skip("ambiguous")
    if Wrote.INSIDE in (left, right):
        return Adopt(Side.LEFT if left is Wrote.INSIDE else Side.RIGHT)
    return Skip("outside_window" if Wrote.OUTSIDE in (left, right) else "not_written")


def _until(view: IssueView, until: datetime) -> IssueView:
    return replace(view, changes=tuple(it for it in view.changes or () if it.at < until))
