"""What no input may make `decide` say."""

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.config import Direction, OnMirrorRemoved
from app.core.diff import (
    CreateMirror,
    Decision,
    Detach,
    Forget,
    InStep,
    ManageAgain,
    Prove,
    RecordPreexisting,
    RemoveMirror,
    Wait,
    decide,
)
from app.core.evidence import Absent, Observed, Present, Unknown, Unlisted
from app.core.ledger import Authorship, LinkKey, Row, State
from app.core.links import LinkId, Side, TypeId
from tests.core.cases import ABSENT, AT

LINK_IDS = st.sampled_from([LinkId(text) for text in ("7", "8", "9", "10", "11")])


@st.composite
def presences(draw: st.DrawFn) -> Present:
    ids = draw(st.frozensets(LINK_IDS, min_size=1, max_size=3))
    foreign = draw(st.frozensets(st.sampled_from(sorted(ids)), max_size=3))
    return Present(ids, known_gone=draw(st.booleans()), foreign=foreign)


OBSERVED: st.SearchStrategy[Observed] = st.one_of(
    st.just(ABSENT),
    st.just(Unlisted()),
    st.sampled_from([Unknown("issue_error"), Unknown("not_assured")]),
    presences(),
)
ROWS: st.SearchStrategy[Row] = st.builds(
    Row,
    id=st.just(1),
    key=st.just(LinkKey(TypeId("1"), 1, 2)),
    right_type=st.just(TypeId("11")),
    origin=st.sampled_from(Side),
    state=st.sampled_from(State),
    former=st.just(None),
    authorship=st.one_of(st.none(), st.sampled_from(Authorship)),
    authored_after=st.just(AT),
    left_link=st.one_of(st.none(), LINK_IDS),
    right_link=st.one_of(st.none(), LINK_IDS),
    version=st.just(1),
)
DIRECTIONS = st.sampled_from(Direction)
POLICIES = st.sampled_from(OnMirrorRemoved)
EVERYTHING = given(st.none() | ROWS, OBSERVED, OBSERVED, DIRECTIONS, POLICIES)


def at(side: Side, left: Observed, right: Observed) -> Observed:
    return left if side is Side.LEFT else right


@EVERYTHING
def test_a_removal_only_of_the_managed_mirror_seen_now_with_its_origin_proven_absent(
    row: Row | None, left: Observed, right: Observed, to: Direction, policy: OnMirrorRemoved
) -> None:
    it = decide(row, left, right, to, policy)
    if isinstance(it, RemoveMirror):
        assert row is not None
        assert row.state is State.MANAGED
        assert isinstance(at(row.origin, left, right), Absent)
        mirror = at(row.mirror, left, right)
        assert it.mirror is row.mirror
        assert it.mirror_id == row.mirror_id
        assert isinstance(mirror, Present)
        assert it.mirror_id in mirror.ids


@EVERYTHING
def test_a_creation_only_opposite_an_origin_into_a_proven_gap(
    row: Row | None, left: Observed, right: Observed, to: Direction, policy: OnMirrorRemoved
) -> None:
    it = decide(row, left, right, to, policy)
    if isinstance(it, CreateMirror):
        origin = at(it.origin, left, right)
        assert isinstance(at(it.origin.other, left, right), Absent)
        assert isinstance(origin, Present)
        assert it.origin_id in origin.ids - origin.foreign
        assert row is not None or to.allows_origin(it.origin)
        assert row is None or (row.state is State.MANAGED and row.origin is it.origin)


@EVERYTHING
def test_what_is_forgotten_is_proven_absent_on_both_sides(
    row: Row | None, left: Observed, right: Observed, to: Direction, policy: OnMirrorRemoved
) -> None:
    if isinstance(decide(row, left, right, to, policy), Forget):
        assert isinstance(left, Absent)
        assert isinstance(right, Absent)


@EVERYTHING
def test_unknown_changes_nothing_that_rests_on_it(
    row: Row | None, left: Observed, right: Observed, to: Direction, policy: OnMirrorRemoved
) -> None:
    assume(isinstance(left, Unknown) or isinstance(right, Unknown))
    it = decide(row, left, right, to, policy)
    assert not isinstance(
        it, RemoveMirror | CreateMirror | Forget | Detach | ManageAgain | InStep | RecordPreexisting
    )


@EVERYTHING
def test_proof_is_asked_only_of_sides_that_it_could_help(
    row: Row | None, left: Observed, right: Observed, to: Direction, policy: OnMirrorRemoved
) -> None:
    """Asked again with the proof given, it does not ask for the same once more."""
    it = decide(row, left, right, to, policy)
    if isinstance(it, Prove):
        assert it.sides
        for side in it.sides:
            seen = at(side, left, right)
            assert isinstance(seen, Unlisted) or (isinstance(seen, Present) and row is not None)
        left, right = (
            _proven(at(side, left, right)) if side in it.sides else at(side, left, right)
            for side in Side
        )
        again = decide(row, left, right, to, policy)
        assert not isinstance(again, Prove) or not again.sides & it.sides


def _proven(seen: Observed) -> Observed:
    if isinstance(seen, Unlisted):
        return ABSENT
    return replace(seen, known_gone=True) if isinstance(seen, Present) else seen


@given(ROWS, OBSERVED, OBSERVED, DIRECTIONS, POLICIES)
def test_exchanging_the_sides_exchanges_the_outcome(
    row: Row, left: Observed, right: Observed, to: Direction, policy: OnMirrorRemoved
) -> None:
    turned = replace(
        row, origin=row.origin.other, left_link=row.right_link, right_link=row.left_link
    )
    it = decide(row, left, right, to, policy)
    assert decide(turned, right, left, _turned(to), policy) == _exchanged(it)


@given(OBSERVED, OBSERVED, st.sampled_from([Direction.LEFT_TO_RIGHT, Direction.RIGHT_TO_LEFT]))
def test_without_a_row_too_where_one_side_leads(
    left: Observed, right: Observed, to: Direction
) -> None:
    assert decide(None, right, left, _turned(to)) == _exchanged(decide(None, left, right, to))


@given(OBSERVED, OBSERVED)
def test_with_both_directions_the_kind_of_outcome_has_no_preferred_side(
    left: Observed, right: Observed
) -> None:
    """Which side is called the origin may differ, whether anything is written may not."""
    one = decide(None, left, right, Direction.BOTH)
    other = decide(None, right, left, Direction.BOTH)
    assert isinstance(one, CreateMirror) == isinstance(other, CreateMirror)
    if isinstance(one, CreateMirror):
        assert other == _exchanged(one)


def _turned(to: Direction) -> Direction:
    turned = {
        Direction.LEFT_TO_RIGHT: Direction.RIGHT_TO_LEFT,
        Direction.RIGHT_TO_LEFT: Direction.LEFT_TO_RIGHT,
    }
    return turned.get(to, to)


def _exchanged(it: Decision) -> Decision:
    match it:
        case CreateMirror() | RecordPreexisting():
            return replace(it, origin=it.origin.other)
        case RemoveMirror():
            return replace(it, mirror=it.mirror.other)
        case Prove():
            return Prove(frozenset(side.other for side in it.sides))
        case Wait():
            return it
        case _:
            return it
