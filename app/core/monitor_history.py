"""What one issue's changelog says of its links: which entries are about one link, who made it.

An entry names the other issue by key, and the type only in a sentence in the account's language.
Independent of `authorship`, on purpose: see `monitor`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.core.evidence import LinkChange
from app.core.links import IssueId, IssueKey, LinkType, TypeId
from app.core.own_accounts import OwnAccounts


class Creator(StrEnum):
    """Who made a link, by one issue's changelog. `nobody`: the whole changelog shows no creation;
    `cut`: the creation may be in the part that Jira cut off."""

    OURS = "ours"
    ANOTHER = "another"
    MIXED = "mixed"
    """Ours, and another account's, and both can be read."""
    NOBODY = "nobody"
    CUT = "cut"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Creators:
    """Who may have made a link, and when we added one of those that it may be."""

    verdict: Creator
    ours_at: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """One issue's Link items, oldest first, by our clock. `whole` is False where older ones are
    missing; `ids` has the issue that a key in it leads to, for the keys that were looked up."""

    issue: IssueId
    changes: tuple[LinkChange, ...]
    whole: bool
    ids: Mapping[IssueKey, IssueId]

    def other(self, change: LinkChange) -> str:
        """The issue at the other end: by id where its key was resolved, as keys change."""
        return self.ids.get(change.target, change.target)


Meaning = tuple[TypeId, bool]
"""A link type, and whether the issue with this changelog is the source."""


def creators(history: History, at: int, types: Sequence[LinkType], ours: OwnAccounts) -> Creators:
    """Who made the link that the entry at this place removed.

    Candidates are additions of such a link that no removal has taken away by then, and the later
    additions whose sentence cannot be read: type names change, and people write in their languages.
    There may be several: the very same link twice, or one without direction the other way round. If
    all candidates have one author, it does not matter which of them it was.
    """
    standing, unread, count = _standing_before(history, at, types)
    if not count and not history.whole:
        return Creators(Creator.CUT)
    both = [*standing, *unread]
    by_us = [ours.wrote(it.author, it.at) for it in both]
    mine = tuple(it.at for it, is_ours in zip(both, by_us, strict=True) if is_ours)
    if not both:
        return Creators(Creator.NOBODY)
    if all(by_us):
        return Creators(Creator.OURS, mine)
    if any(it.author is None for it in both):
        return Creators(Creator.UNCLEAR, mine)
    if not mine:
        return Creators(Creator.ANOTHER)
    return Creators(Creator.UNCLEAR if unread else Creator.MIXED, mine)


def _standing_before(
    history: History, at: int, types: Sequence[LinkType]
) -> tuple[list[LinkChange], list[LinkChange], int]:
    """The additions that may not be taken away yet, those that cannot be read, and how many are
    certainly not taken away."""
    removal = history.changes[at]
    standing: list[LinkChange] = []
    unread: list[LinkChange] = []
    count = 0
    for it in history.changes[:at]:
        same = _same(it, removal, types) if history.other(it) == history.other(removal) else False
        if same and it.added:
            if not count:
                standing, unread = [], []
            standing.append(it)
            count += 1
        elif same:
            count = max(0, count - 1)
            if not count:
                standing, unread = [], []
        elif same is None and it.added:
            unread.append(it)
    return standing, unread, count


def _same(one: LinkChange, other: LinkChange, types: Sequence[LinkType]) -> bool | None:
    """Whether two entries with one other end are about one link; None where that is not clear."""
    first, second = meanings_of(one, types), meanings_of(other, types)
    if not first or not second:
        return None
    if first.isdisjoint(second):
        return False
    return True if len({type_id for type_id, _ in first | second}) == 1 else None


def meanings_of(change: LinkChange, types: Sequence[LinkType]) -> frozenset[Meaning]:
    """What the sentence may say, by the longest wording in it; nothing where none is. More than
    one type where they share a wording, both directions where a type has none."""
    sentence = change.text.casefold().replace(change.target.casefold(), " ")
    said = [
        (len(wording), wording, (kind.id, is_source))
        for kind in types
        for wordings, is_source in ((kind.outwards, True), (kind.inwards, False))
        for wording in wordings
        if wording and wording in sentence
    ]
    longest = max((length for length, _, _ in said), default=0)
    best = {wording for length, wording, _ in said if length == longest}
    if len(best) != 1:
        return frozenset()
    return frozenset(meaning for length, _, meaning in said if length == longest)


def place(
    history: History,
    change: LinkChange,
    meanings: frozenset[Meaning],
    types: Sequence[LinkType],
) -> str:
    """A name for the link of an entry that is the same from its other end."""
    own, other = str(history.issue), history.other(change)
    of_type = {type_id for type_id, _ in meanings}
    if len(of_type) != 1:
        return f"?:{':'.join(sorted((own, other)))}"
    (type_id,) = of_type
    symmetric = any(kind.id == type_id and kind.symmetric for kind in types)
    if symmetric:
        ends = sorted((own, other))
    else:
        ends = [own, other] if (type_id, True) in meanings else [other, own]
    return f"{type_id}:{':'.join(ends)}"
