"""What one issue's changelog says of its links: which entries are about one link, who made it.

An entry names the other issue by key, and the type only inside a sentence in somebody's language.
Independent of ``authorship``, on purpose: see ``monitor``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core.evidence import LinkChange
from app.core.links import AccountId, IssueId, IssueKey, LinkType, TypeId


class Creator(StrEnum):
    OURS = "ours"
    ANOTHER = "another"
    NOBODY = "nobody"
    CUT = "cut"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class History:
    """One issue's Link items, oldest first, by our clock. ``whole`` is False where older ones are
    missing; ``ids`` holds what issues the keys in it lead to, as far as that was asked."""

    issue: IssueId
    changes: tuple[LinkChange, ...]
    whole: bool
    ids: Mapping[IssueKey, IssueId]

    def other(self, change: LinkChange) -> str:
        """The issue at the other end: by id where its key was resolved, for keys change."""
        return self.ids.get(change.target, change.target)


Meaning = tuple[TypeId, bool]
"""A link type, and whether the issue whose changelog it is is the source."""


def creator(history: History, at: int, types: Sequence[LinkType], ours: AccountId) -> Creator:
    """Who made the link that the entry at this place removed.

    The last addition of that link, and every one after it whose sentence cannot be read: type
    names change, and people write in their languages. If all of these have one maker, it does
    not matter which of them it was.
    """
    removal = history.changes[at]
    sure = False
    standing: list[LinkChange] = []
    for it in history.changes[:at]:
        same = _same(it, removal, types) if history.other(it) == history.other(removal) else False
        if same and not it.added:
            sure, standing = False, []
        elif same:
            sure, standing = True, [it]
        elif same is None and it.added:
            standing.append(it)
    if not sure and not history.whole:
        return Creator.CUT
    authors = {it.author for it in standing}
    if not authors:
        return Creator.NOBODY
    if authors == {ours}:
        return Creator.OURS
    return Creator.UNCLEAR if ours in authors or None in authors else Creator.ANOTHER


def _same(one: LinkChange, other: LinkChange, types: Sequence[LinkType]) -> bool | None:
    """Whether two entries with one other end are about one link; None where it cannot be told."""
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
        for wording, is_source in ((kind.outward.casefold(), True), (kind.inward.casefold(), False))
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
