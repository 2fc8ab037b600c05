"""Whether what our account removed is accounted for, by Jira's own changelog.

This is the second opinion on the promise that an unmanaged link is never removed. It shares
nothing with the code that removes: neither the decision, nor the ledger, nor how authorship is
read, so that one mistake cannot blind both.

The table is about one removal that an end's changelog attributes to our account. *Audit*: the audit
has a removal of that link at about that time; each entry accounts for one removal. *Record*: what
else the audit says of the link's id. *Creator*: who made the link last before, by that changelog.

===========  ==========  =========================  =============
audit        record      creator                    verdict
===========  ==========  =========================  =============
none         any         any                        `unaudited`
did not act  any         any                        `denied`
may act yet  as if it had acted, but                `late`
                         for `accounted`
acted, open  released    any                        `unmanaged`
acted, open  adopted     any                        `accounted`
acted, open  neither     our account                `accounted`
acted, open  made by us  our account among others   `accounted`
acted, open  neither     our account among others   `unmanaged`
acted, open  neither     another account            `unmanaged`
acted, open  neither     none, changelog whole      `unmanaged`
acted, open  neither     in the part cut off        `cut`
acted, open  neither     not clear                  `unclear`
===========  ==========  =========================  =============

*Adopted*: by an approved plan; *released*: let go since; *made by us*: the audit has the creation
of that very id, and the changelog has an addition by our account at that time that was not taken
away again. So a link that another account adds beside ours raises no alarm. `cut` asks for the
whole changelog. *May act yet*: a request left, and was later confirmed not to have acted. `late` is
no alarm: it asks for an outcome that corrects the audit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.core.evidence import LinkChange
from app.core.links import IssueRef, LinkType, TypeId
from app.core.monitor_history import Creator, History, Meaning, creators, meanings_of, place
from app.core.own_accounts import OwnAccounts

# The difference of the clocks is measured and taken off before; this is for what is left of it.
SLACK = timedelta(minutes=2)
# A write without an outcome yet is sent within ten seconds, and ends within twenty more.
OPEN = timedelta(minutes=1)
# A request that hangs somewhere on its way may act long after it was given up.
LATE = timedelta(hours=1)


class Verdict(StrEnum):
    """See the table."""

    ACCOUNTED = "accounted"
    UNAUDITED = "unaudited"
    DENIED = "denied"
    UNMANAGED = "unmanaged"
    LATE = "late"
    CUT = "cut"
    UNCLEAR = "unclear"

    @property
    def alarming(self) -> bool:
        """A link was removed that must not be, or by other means than our code."""
        return self in {Verdict.UNAUDITED, Verdict.DENIED, Verdict.UNMANAGED}


class Record(StrEnum):
    """What the audit says of a link id, removals apart."""

    NOTHING = "nothing"
    ADOPTED = "adopted"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Written:
    """One removal as the audit has it. `until` is its outcome's time, None while it is open;
    `acted` is False where the last outcome says that nothing was removed, `late` where it
    may have been removed since."""

    id: int
    type_id: TypeId
    source: IssueRef
    destination: IssueRef
    since: datetime
    until: datetime | None
    acted: bool
    record: Record = Record.NOTHING
    late: bool = False
    intent: int | None = None
    created: tuple[datetime, datetime] | None = None
    """When the audit says that we made this link id: its last creation's intent and outcome."""


@dataclass(frozen=True, slots=True)
class Judged:
    """`place` is the same name for the link from either end; `other` is an id where one is
    known, else a key. `intent`: whose removal it is by the audit."""

    change: LinkChange
    verdict: Verdict
    place: str
    intent: int | None = None


def judge(
    history: History,
    written: Sequence[Written],
    types: Sequence[LinkType],
    ours: OwnAccounts,
    since: datetime,
) -> list[Judged]:
    """Every removal by our account at or after *since*. Earlier ones use up their audit entries as
    well, so that no entry accounts for two removals."""
    used: set[int] = set()
    found = []
    for at, change in enumerate(history.changes):
        if change.added or not ours.wrote(change.author, change.at):
            continue
        meanings = meanings_of(change, types)
        entry = _entry(history, change, meanings, [it for it in written if it.id not in used])
        if entry is not None:
            used.add(entry.id)
        if change.at >= since:
            verdict = _verdict(entry, history, at, types, ours)
            intent = None if entry is None else entry.intent
            named = place(history, change, meanings, types)
            found.append(Judged(change, verdict, named, intent))
    return found


def _verdict(
    entry: Written | None,
    history: History,
    at: int,
    types: Sequence[LinkType],
    ours: OwnAccounts,
) -> Verdict:
    if entry is None:
        return Verdict.UNAUDITED
    if not entry.acted and not entry.late:
        return Verdict.DENIED
    verdict = _of_ours(entry, history, at, types, ours)
    late = verdict is Verdict.ACCOUNTED and not entry.acted
    return Verdict.LATE if late else verdict


def _of_ours(
    entry: Written,
    history: History,
    at: int,
    types: Sequence[LinkType],
    ours: OwnAccounts,
) -> Verdict:
    """Whether the link that we removed was ours to remove."""
    if entry.record is not Record.NOTHING:
        return Verdict.ACCOUNTED if entry.record is Record.ADOPTED else Verdict.UNMANAGED
    found = creators(history, at, types, ours)
    if _made_by_us(entry, found.ours_at):
        return Verdict.ACCOUNTED
    match found.verdict:
        case Creator.OURS:
            return Verdict.ACCOUNTED
        case Creator.ANOTHER | Creator.NOBODY | Creator.MIXED:
            return Verdict.UNMANAGED
        case Creator.CUT:
            return Verdict.CUT
        case Creator.UNCLEAR:
            return Verdict.UNCLEAR


def _made_by_us(entry: Written, additions: Sequence[datetime]) -> bool:
    """Whether one of our additions that may not be taken away yet created the id that was
    removed."""
    if entry.created is None:
        return False
    since, until = entry.created
    return any(since - SLACK <= at <= until + SLACK for at in additions)


def _entry(
    history: History,
    change: LinkChange,
    meanings: frozenset[Meaning],
    written: Sequence[Written],
) -> Written | None:
    """The audit entry that accounts for a removal. One that says it did not act is the last
    choice, after one that may have acted late."""
    fitting = [
        it
        for it in written
        if _names(it, history, change, meanings) and it.since - SLACK <= change.at <= _latest(it)
    ]
    return min(fitting, key=lambda it: (not it.acted, not it.late, it.since, it.id), default=None)


def _latest(it: Written) -> datetime:
    end = (it.until or it.since + OPEN) + SLACK
    return end + LATE if it.late else end


def _names(it: Written, history: History, change: LinkChange, meanings: frozenset[Meaning]) -> bool:
    """Whether an audit entry is about the link of a changelog entry. A sentence that cannot be
    read leaves the ends to go by."""
    ends = ((it.source, it.destination, True), (it.destination, it.source, False))
    for own, other, is_source in ends:
        there = history.ids.get(change.target)
        same_other = other.id == there if there is not None else other.key == change.target
        if own.id == history.issue and same_other:
            return not meanings or (it.type_id, is_source) in meanings
    return False
