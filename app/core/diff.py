"""The decision, on one page (docs/how-it-decides.md). For one link key of one connection.

`mine`: our mirror is there, whatever else is beside it. `other`: an equal link is there
and ours is proven gone. `A`: proven absent. `P`: present. `?`: unknown.

====  ============  =========  ========  ==============================================
row   ledger        origin     mirror    outcome
====  ============  =========  ========  ==============================================
1     none          A          any       Nothing
2     none          P          A         CreateMirror
3     none          P          P         RecordPreexisting
4     managed       P          mine      InStep (the origin's id may have changed)
5     managed       P          A         Detach or CreateMirror, by `on_mirror_removed`
6     managed       P          other     RecordPreexisting
7     managed       A          mine      RemoveMirror, if mode, authorship and guard allow
8     managed       A          other     Detach
9     preexisting   P          P         Nothing
10    preexisting   A / P      P / A     Detach
11    detached      P          mine      ManageAgain
12    detached      else, any side P     Nothing
13    suspended     any        any       Nothing
14    any           A          A         Forget
15    any           ? on a side that the outcome needs    Wait
====  ============  =========  ========  ==============================================

*Present* as an origin does not count links that another connection manages, nor links that we made
or adopted at any time in any connection: mirroring such a link would make a link again that a
person removed. It is neither an origin nor a proof of the origin's absence, so a managed row with
nothing else at its origin waits (15). Where our mirror is proven gone as well, the row is detached
whatever `on_mirror_removed` says (5), because nothing is left to keep in step.

A side that is merely `Unlisted` where the outcome would depend on its absence gives `Prove`:
the caller seeks proof for the named sides and asks again.
"""

from dataclasses import dataclass
from enum import StrEnum

from app.core.config import Direction, OnMirrorRemoved
from app.core.evidence import Absent, Observed, Present, Unknown, Unlisted
from app.core.ledger import Row, State
from app.core.links import LinkId, Side


@dataclass(frozen=True, slots=True)
class Nothing:
    """Rows 1, 9, 12 and 13: no change."""

    row: int


@dataclass(frozen=True, slots=True)
class InStep:
    """Row 4. `origin_id` is the id to record for the origin."""

    origin_id: LinkId
    row: int = 4


@dataclass(frozen=True, slots=True)
class CreateMirror:
    """Rows 2 and 5: make the mirror on the side other than `origin`."""

    origin: Side
    origin_id: LinkId
    row: int


@dataclass(frozen=True, slots=True)
class RemoveMirror:
    """Row 7: the only way to a removal. `mirror_id` is the ledger's id, seen right now."""

    mirror: Side
    mirror_id: LinkId
    row: int = 7


@dataclass(frozen=True, slots=True)
class RecordPreexisting:
    """Rows 3 and 6: the equal link on the other side is not ours. It is recorded and left alone."""

    origin: Side
    origin_id: LinkId
    mirror_id: LinkId
    row: int


@dataclass(frozen=True, slots=True)
class Detach:
    """`vanished`: another account removed the mirror. `keep_mirror_id` is False where
    the recorded id is gone, so that a foreign link is never taken for ours later."""

    row: int
    vanished: bool = False
    keep_mirror_id: bool = True


@dataclass(frozen=True, slots=True)
class ManageAgain:
    """Row 11: the mirror of a detached row is there, and so is its origin."""

    origin_id: LinkId
    row: int = 11


@dataclass(frozen=True, slots=True)
class Forget:
    """Row 14: the link is gone on both sides; drop the row."""

    row: int = 14


@dataclass(frozen=True, slots=True)
class Prove:
    """The outcome depends on an absence on these sides: seek proof for them and decide again."""

    sides: frozenset[Side]


@dataclass(frozen=True, slots=True)
class Wait:
    """Row 15: a side is unknown. `reason` is a stable word for people and metrics."""

    reason: str
    row: int = 15


Decision = (
    Nothing
    | InStep
    | CreateMirror
    | RemoveMirror
    | RecordPreexisting
    | Detach
    | ManageAgain
    | Forget
    | Prove
    | Wait
)


class _Mirror(StrEnum):
    MINE = "mine"
    OTHER = "other"
    UNSURE = "unsure"


def decide(
    row: Row | None,
    left: Observed,
    right: Observed,
    direction: Direction,
    on_mirror_removed: OnMirrorRemoved = OnMirrorRemoved.DETACH,
) -> Decision:
    """The outcome for one link key, from the ledger row and what each side showed."""
    seen = {Side.LEFT: left, Side.RIGHT: right}
    if row is None:
        return _without_row(seen, direction)
    origin, mirror = seen[row.origin], seen[row.mirror]
    match row.state:
        case State.SUSPENDED | State.RELEASED | State.ORPHANED:
            return Nothing(13)
        case State.MANAGED:
            return _managed(row, origin, mirror, on_mirror_removed)
        case State.PREEXISTING:
            return _preexisting(row, origin, mirror)
        case State.DETACHED:
            return _detached(row, origin, mirror)


def _without_row(seen: dict[Side, Observed], direction: Direction) -> Decision:
    """Rows 1 to 3. A side that does not list the link cannot be an origin, so no proof is sought
    for it; nor can a side that shows only links that we made or that other connections manage."""
    allowed = [side for side in Side if direction.allows_origin(side)]
    for side in allowed:
        origin, mirror = _as_origin(seen[side]), seen[side.other]
        if not isinstance(origin, Present):
            continue
        origin_id = min(origin.ids, key=_age)
        match mirror:
            case Present(ids=ids):
                return RecordPreexisting(side, origin_id, min(ids, key=_age), 3)
            case Absent():
                return CreateMirror(side, origin_id, 2)
            case Unlisted():
                return Prove(frozenset({side.other}))
            case Unknown(reason=reason):
                return Wait(reason)
    for side in allowed:
        origin = seen[side]
        if isinstance(origin, Unknown):
            return Wait(origin.reason)
    return Nothing(1)


def _managed(
    row: Row, origin: Observed, mirror: Observed, on_mirror_removed: OnMirrorRemoved
) -> Decision:
    if _no_origin(origin) and isinstance(mirror, (Absent, Unlisted)):
        return _managed_for_nothing(row, mirror)
    origin = _as_origin(origin)
    open_question = _open_question({row.origin: origin, row.mirror: mirror})
    match origin, mirror:
        case Present(), Present():
            return _managed_and_seen(row, origin, mirror)
        case Present(), Absent():
            if on_mirror_removed is OnMirrorRemoved.RECREATE:
                return CreateMirror(row.origin, _kept_or_oldest(row, origin), 5)
            return Detach(5, vanished=True, keep_mirror_id=False)
        case Present(), _:
            return open_question
        case Absent(), Present():
            return _managed_origin_gone(row, mirror)
        case Absent(), Absent():
            return Forget()
        case _:
            return open_question


def _managed_for_nothing(row: Row, mirror: Absent | Unlisted) -> Decision:
    """The link at the origin is a mirror itself, and our mirror is gone: it is not made again from
    that one. A row that went on waiting would keep every other row from the mirror's place."""
    if isinstance(mirror, Unlisted):
        return Prove(frozenset({row.mirror}))
    return Detach(5, vanished=True, keep_mirror_id=False)


def _managed_and_seen(row: Row, origin: Present, mirror: Present) -> Decision:
    origin_id = _kept_or_oldest(row, origin)
    match _whose(row, mirror):
        case _Mirror.MINE:
            return InStep(origin_id)
        case _Mirror.OTHER:
            return RecordPreexisting(row.origin, origin_id, min(mirror.ids, key=_age), 6)
        case _Mirror.UNSURE:
            return Prove(frozenset({row.mirror}))


def _managed_origin_gone(row: Row, mirror: Present) -> Decision:
    match _whose(row, mirror):
        case _Mirror.MINE:
            assert row.mirror_id is not None
            return RemoveMirror(row.mirror, row.mirror_id)
        case _Mirror.OTHER:
            return Detach(8, vanished=True, keep_mirror_id=False)
        case _Mirror.UNSURE:
            return Prove(frozenset({row.mirror}))


def _preexisting(row: Row, origin: Observed, mirror: Observed) -> Decision:
    match origin, mirror:
        case Present(), Present():
            return Nothing(9)
        case (Present(), Absent()) | (Absent(), Present()):
            return Detach(10, keep_mirror_id=False)
        case Absent(), Absent():
            return Forget()
        case _:
            return _open_question({row.origin: origin, row.mirror: mirror})


def _detached(row: Row, origin: Observed, mirror: Observed) -> Decision:
    own = _as_origin(origin)
    if isinstance(own, Present) and isinstance(mirror, Present):
        if row.made_by_us and row.mirror_id in mirror.ids:
            return ManageAgain(_kept_or_oldest(row, own))
        return Nothing(12)
    if isinstance(origin, Present) or isinstance(mirror, Present):
        return Nothing(12)
    if isinstance(origin, Absent) and isinstance(mirror, Absent):
        return Forget()
    return _open_question({row.origin: origin, row.mirror: mirror})


def _as_origin(observed: Observed) -> Observed:
    """*observed* without the links that are never an origin. Where only such links are left, it is
    unknown whether there is an origin: their presence proves no absence."""
    if not isinstance(observed, Present) or observed.origins == observed.ids:
        return observed
    if observed.origins:
        return Present(observed.origins, observed.known_gone)
    return Unknown("managed_elsewhere" if observed.foreign else "made_by_us")


def _no_origin(observed: Observed) -> bool:
    """Whether the side shows only links that are never an origin."""
    return isinstance(observed, Present) and not observed.origins


def _open_question(seen: dict[Side, Observed]) -> Decision:
    """Wait where a side is unknown; else seek proof for every side that is merely unlisted."""
    for observed in seen.values():
        if isinstance(observed, Unknown):
            return Wait(observed.reason)
    return Prove(frozenset(side for side, it in seen.items() if isinstance(it, Unlisted)))


def _whose(row: Row, mirror: Present) -> _Mirror:
    if row.mirror_id in mirror.ids:
        return _Mirror.MINE
    return _Mirror.OTHER if mirror.known_gone else _Mirror.UNSURE


def _kept_or_oldest(row: Row, origin: Present) -> LinkId:
    """The recorded origin id while it is there, else the oldest equal link."""
    known = row.link_on(row.origin)
    return known if known is not None and known in origin.ids else min(origin.ids, key=_age)


def _age(link: LinkId) -> tuple[int, str]:
    """Jira hands out link ids in ascending order."""
    return (len(link), link)
