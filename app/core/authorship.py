"""Who made a link: read from the changelogs of its two ends.

A link carries no author and its creation returns no id, so this is the only witness
(docs/how-it-decides.md). An entry names the other issue by key and the type by its wording inside a
sentence in the account's language ("This issue blocks KEY-2"); hence the care below.

One end's changelog, entries in the order of Jira's history ids (nodes of one Data Center differ
in their clocks by a second) at or after `since` that name the other end:

====================================================  ==================
entries                                               that end says
====================================================  ==================
none about this type and direction                    nothing
any whose wording is not clear                        unknown
this wording also belongs to another type             unknown
as many removals as additions                         unknown
standing additions: all by us, all by others          ours, theirs
the same, one by an author that Jira does not name    unknown
the same, some by us: as many equal links listed      ours, if ours by its id
the same, some by us: more or fewer listed            unknown
====================================================  ==================

*Standing* additions are a set: equal links read the same (the very same link twice, a symmetric
one the other way round), so a removal takes away one of them, and nothing shows which. Where none
was taken away, the oldest addition made the link with the lowest id.

Both ends: what they agree on; the other where one says nothing; else unknown. Unknown is safe:
a removal that needs it is held.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from app.core.evidence import IssueView, LinkChange
from app.core.links import (
    AccountId,
    Ends,
    IssueId,
    IssueKey,
    IssueRef,
    Link,
    LinkType,
    TypeId,
    equal_links,
    id_order,
)
from app.core.own_accounts import OwnAccounts

Authorship = Literal["ours", "theirs", "unknown"]

NO_DATE = datetime.max.replace(microsecond=0, tzinfo=UTC)
"""In place of Jira's clock where an answer had no `Date`: nothing happens after it."""
SKEW = timedelta(minutes=1)
"""More than the clocks of one Jira's nodes differ. Entries count from this much before a given time
on. One that counts by mistake makes the author unknown, never ours."""
FRAMES = ("this issue ", "this work item ")
"""What Jira writes before a wording. In 2026 Cloud writes the second; older entries keep the first.
A type may itself be called "work item", so they are cut off before a wording is looked for."""


def authorship_now(
    views: Mapping[IssueId, IssueView],
    link: Link,
    types: Sequence[LinkType],
    ours: OwnAccounts,
    pre_read: datetime | None,
    keys: Mapping[IssueKey, IssueId] | None = None,
) -> Authorship:
    """Who made *link*, by changelogs that were read just now.

    `pre_read` is Jira's `Date` of a reading that did not show the link yet: what happened
    before it is left out where that is known. If nothing was written after it, by whatever clock,
    the whole changelog speaks.
    """
    if pre_read is not None and pre_read != NO_DATE:
        verdict = _verdict(views, link, types, ours, pre_read - SKEW, keys)
        if verdict is not None:
            return verdict
    return _verdict(views, link, types, ours, None, keys) or "unknown"


def authorship(
    views: Mapping[IssueId, IssueView],
    link: Link,
    types: Sequence[LinkType],
    account: AccountId,
    since: datetime,
) -> Authorship:
    """Whether *account* made *link*, judged by the entries at or after *since*, to the second.

    `types` are all link types of the site: a wording means something only among all others.
    """
    return _verdict(views, link, types, OwnAccounts.only(account), since, None) or "unknown"


def understood(view: IssueView, link: Link, types: Sequence[LinkType]) -> bool:
    """Whether every entry of *view* that names the other end has a wording of the site. A type
    that was renamed since *types* were read is not understood."""
    other = _other(view, link)
    return all(
        wording_of(it.text, it.target, types) is not None
        for it in view.changes or ()
        if it.target == other.key
    )


@dataclass(frozen=True, slots=True)
class _Sought:
    """The entries of one end that are about the link, and what decides among their authors."""

    link: Link
    kind: LinkType
    other: IssueRef
    wordings: frozenset[str]
    since: datetime | None
    keys: Mapping[IssueKey, IssueId]

    def names(self, change: LinkChange) -> bool:
        """Whether an entry is about the other end: by id where its key was resolved,
        because keys change and old entries keep the old one."""
        if self.since is not None and change.at < self.since:
            return False
        there = self.keys.get(change.target)
        return change.target == self.other.key if there is None else there == self.other.id


def _verdict(
    views: Mapping[IssueId, IssueView],
    link: Link,
    types: Sequence[LinkType],
    ours: OwnAccounts,
    since: datetime | None,
    keys: Mapping[IssueKey, IssueId] | None,
) -> Authorship | None:
    """None where neither end has an entry about the link."""
    own = next((kind for kind in types if kind.id == link.type_id), None)
    if own is None:
        return "unknown"
    ends = (
        (views.get(link.source.id), link.destination, own.outwards),
        (views.get(link.destination.id), link.source, own.inwards),
    )
    verdicts = {
        _end(view, _Sought(link, own, other, wordings, since, keys or {}), types, ours)
        for view, other, wordings in ends
    }
    said = {verdict for verdict in verdicts if verdict is not None}
    if not said:
        return None
    return said.pop() if len(said) == 1 else "unknown"


def _end(
    view: IssueView | None, sought: _Sought, types: Sequence[LinkType], ours: OwnAccounts
) -> Authorship | None:
    """What one end's changelog says; None where it holds nothing about the link."""
    if view is None or view.changes is None:
        return None
    relevant: list[LinkChange] = []
    for change in view.changes:
        if not sought.names(change):
            continue
        spelled = wording_of(change.text, change.target, types)
        if spelled is None:
            return "unknown"
        if spelled in sought.wordings:
            if len(_owners(spelled, types)) != 1:
                return "unknown"
            relevant.append(change)
    if not relevant:
        return None
    return _author(standing(relevant), _listed(view, sought), sought.link, ours)


@dataclass(frozen=True, slots=True)
class Standing:
    """Additions, oldest first, of which `count` were not taken away again. Where that is fewer than
    there are, it is unknown which of them."""

    additions: tuple[LinkChange, ...]
    count: int


def standing(changes: Sequence[LinkChange]) -> Standing:
    """What is left of these entries about equal links, in the order of their history ids."""
    additions: list[LinkChange] = []
    count = 0
    for change in changes:
        count = count + 1 if change.added else max(0, count - 1)
        if change.added:
            additions.append(change)
        elif count == 0:
            additions.clear()
    return Standing(tuple(additions), count)


def _author(found: Standing, listed: Sequence[Link], link: Link, ours: OwnAccounts) -> Authorship:
    """Who made the link. Jira answers a duplicate create like a fresh one, so beside an addition by
    another account the link may be theirs as well as ours, unless each addition has its link."""
    by_us = [ours.wrote(it.author, it.at) for it in found.additions]
    if not by_us:
        return "unknown"
    if all(by_us):
        return "ours"
    if not any(by_us):
        return "unknown" if any(it.author is None for it in found.additions) else "theirs"
    ids = sorted((it.id for it in listed), key=id_order)
    if len(ids) != len(by_us) or found.count != len(by_us) or link.id not in ids:
        return "unknown"
    # Nodes of one Data Center hand out ids in blocks, so our link may have the higher id after all:
    # the id alone does not show that the link is another account's.
    return "ours" if by_us[ids.index(link.id)] else "unknown"


def _listed(view: IssueView, sought: _Sought) -> list[Link]:
    """The links of this end whose entries read like those of the link that is sought."""
    ends = Ends(sought.link.source.id, sought.link.destination.id)
    return equal_links(view.links or (), sought.kind, ends)


def _other(view: IssueView, link: Link) -> IssueRef:
    return link.destination if view.ref.id == link.source.id else link.source


def wording_of(text: str, other: IssueKey, types: Sequence[LinkType]) -> str | None:
    """The one wording of the site that *text* uses, case-folded; None where that is not clear.

    The longest contained one counts, so that "blocks" is not found in "is blocked by", nor
    inside another word. The other issue's key is cut out first, and the frame: either may spell
    a wording itself.
    """
    sentence = text.casefold().replace(other.casefold(), "\x00")
    wordings = {word for kind in types for word in kind.inwards | kind.outwards}
    framed = next((sentence.removeprefix(it) for it in FRAMES if sentence.startswith(it)), None)
    if framed is not None and (inside := _longest(framed, wordings)) is not None:
        return inside
    return _longest(sentence, wordings)


def _longest(sentence: str, wordings: set[str]) -> str | None:
    found = [word for word in wordings if word and _contains(sentence, word)]
    longest = max(map(len, found), default=0)
    best = [word for word in found if len(word) == longest]
    return best[0] if len(best) == 1 else None


def _owners(wording: str, types: Sequence[LinkType]) -> set[TypeId]:
    return {kind.id for kind in types if wording in kind.inwards | kind.outwards}


def _contains(sentence: str, word: str) -> bool:
    """Whether *word* occurs in the sentence by itself, not as a part of a longer one."""
    start = sentence.find(word)
    while start >= 0:
        end = start + len(word)
        before, after = sentence[start - 1 : start], sentence[end : end + 1]
        if not _glued(before, word[0]) and not _glued(word[-1], after):
            return True
        start = sentence.find(word, start + 1)
    return False


def _glued(left: str, right: str) -> bool:
    """Whether two neighbours belong to one word. Scripts without case (Chinese, Japanese) set
    no spaces, so there every border may be the end of a word."""
    return _spaced(left) and _spaced(right)


def _spaced(char: str) -> bool:
    return char.isdigit() or char.lower() != char.upper()
