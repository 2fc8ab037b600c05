"""Who made a link: read from the changelogs of its two ends.

A link carries no author and its creation returns no id, so this is the only witness (design
section 3). An entry names the other issue by key and the type by its wording inside a sentence
in the account's language ("This issue blocks KEY-2"); hence the care below.

One end's changelog, entries at or after ``since`` that name the other end:

====================================================  ==================
entries                                               that end says
====================================================  ==================
none about this type and direction                    nothing
any whose wording cannot be told                      unknown
this wording also belongs to another type             unknown
the last one removed the link                         unknown
additions after the last removal: one author          ours or theirs
the same, by several authors or by nobody             unknown
====================================================  ==================

Both ends: what they agree on; the other where one says nothing; else unknown. Unknown is safe:
a removal that needs it is held.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from app.core.evidence import IssueView, LinkChange
from app.core.links import AccountId, IssueId, IssueKey, Link, LinkType, TypeId

Authorship = Literal["ours", "theirs", "unknown"]

NO_DATE = datetime.max.replace(microsecond=0, tzinfo=UTC)
"""Stands for Jira's clock where an answer had no ``Date``. Nothing happens after it, so no
entry counts and authorship is unknown; an earlier stand-in would let too many entries count."""


def authorship(
    views: Mapping[IssueId, IssueView],
    link: Link,
    types: Sequence[LinkType],
    ours: AccountId,
    since: datetime,
) -> Authorship:
    """Who made *link*, judged by the changelogs in *views* (only its two ends are looked at).

    ``types`` are all link types of the site: a wording means something only among all others.
    ``since`` is Jira's ``Date`` of the reading that did not show the link yet, whole seconds.
    """
    own = next((kind for kind in types if kind.id == link.type_id), None)
    if own is None:
        return "unknown"
    source, destination = views.get(link.source.id), views.get(link.destination.id)
    verdicts = (
        _end(source, _Sought(link.destination.key, own.outward, since), types, ours),
        _end(destination, _Sought(link.source.key, own.inward, since), types, ours),
    )
    said = {verdict for verdict in verdicts if verdict is not None}
    return said.pop() if len(said) == 1 else "unknown"


@dataclass(frozen=True, slots=True)
class _Sought:
    """The entries of one end that are about the link."""

    other: IssueKey
    wording: str
    since: datetime


def _end(
    view: IssueView | None, sought: _Sought, types: Sequence[LinkType], ours: AccountId
) -> Authorship | None:
    """What one end's changelog says; None where it holds nothing about the link."""
    if view is None or view.changes is None:
        return None
    wording = sought.wording.casefold()
    relevant: list[LinkChange] = []
    for change in view.changes:
        if change.at < sought.since or change.target != sought.other:
            continue
        spelled = wording_of(change.text, sought.other, types)
        if spelled is None:
            return "unknown"
        if spelled == wording:
            relevant.append(change)
    if not relevant:
        return None
    return _author(relevant, ours) if len(_owners(wording, types)) == 1 else "unknown"


def _author(changes: Sequence[LinkChange], ours: AccountId) -> Authorship:
    """The author of the additions that still stand. An addition by somebody else before ours,
    with no removal between, makes it theirs as likely as ours: Jira answers a duplicate create
    like a fresh one."""
    last_removal = max((change.at for change in changes if not change.added), default=None)
    standing = {
        change.author
        for change in changes
        if change.added and (last_removal is None or change.at > last_removal)
    }
    if len(standing) != 1:
        return "unknown"
    author = standing.pop()
    if author is None:
        return "unknown"
    return "ours" if author == ours else "theirs"


def wording_of(text: str, other: IssueKey, types: Sequence[LinkType]) -> str | None:
    """The one wording of the site that *text* uses, case-folded; None where that is not clear.

    The longest contained one counts, so that "blocks" is not found in "is blocked by", nor
    inside another word. The other issue's key is cut out first: it may spell a wording itself.
    """
    sentence = text.casefold().replace(other.casefold(), "\x00")
    wordings = {word.casefold() for kind in types for word in (kind.inward, kind.outward)}
    found = [word for word in wordings if word and _contains(sentence, word)]
    longest = max(map(len, found), default=0)
    best = [word for word in found if len(word) == longest]
    return best[0] if len(best) == 1 else None


def _owners(wording: str, types: Sequence[LinkType]) -> set[TypeId]:
    return {
        kind.id for kind in types if wording in (kind.inward.casefold(), kind.outward.casefold())
    }


def _contains(sentence: str, word: str) -> bool:
    """Whether *word* stands in the sentence on its own, not as a part of a longer one."""
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
