"""The decision table of `app.core.diff`, row by row, for both origins and every direction."""

import pytest

from app.core.config import Direction, OnMirrorRemoved
from app.core.diff import (
    CreateMirror,
    Decision,
    Detach,
    Forget,
    InStep,
    ManageAgain,
    Nothing,
    Prove,
    RecordPreexisting,
    RemoveMirror,
    Wait,
    decide,
)
from app.core.evidence import Observed
from app.core.ledger import Authorship, State
from app.core.links import LinkId, Side
from tests.core.cases import (
    ABSENT,
    MIRROR_ID,
    ORIGIN_ID,
    UNKNOWN,
    UNLISTED,
    present,
    row,
    sides,
)

P_ORIGIN, P_MINE = present("70"), present("80")
P_OTHER, P_UNSURE = present("99", gone=True), present("99")
EVERY = [ABSENT, UNLISTED, UNKNOWN, P_ORIGIN, P_MINE, P_OTHER, P_UNSURE]
BOTH_ORIGINS = pytest.mark.parametrize("origin", list(Side))
LEADS = {Side.LEFT: Direction.LEFT_TO_RIGHT, Side.RIGHT: Direction.RIGHT_TO_LEFT}


def managed(origin: Side, at_origin: Observed, at_mirror: Observed) -> Decision:
    return decide(row(State.MANAGED, origin), *sides(origin, at_origin, at_mirror), Direction.BOTH)


def bare(origin: Side, at_origin: Observed, at_mirror: Observed) -> Decision:
    """Without a row, where only *origin* leads."""
    return decide(None, *sides(origin, at_origin, at_mirror), LEADS[origin])


@BOTH_ORIGINS
@pytest.mark.parametrize("mirror", EVERY)
@pytest.mark.parametrize("gone", [ABSENT, UNLISTED])
def test_row_1_a_link_that_the_origin_lacks_is_left_alone(
    origin: Side, mirror: Observed, gone: Observed
) -> None:
    """The incident in one line: it is nobody's inconsistency."""
    assert bare(origin, gone, mirror) == Nothing(1)


@pytest.mark.parametrize("direction", list(Direction))
def test_row_1_nothing_anywhere(direction: Direction) -> None:
    assert decide(None, UNLISTED, UNLISTED, direction) == Nothing(1)


@BOTH_ORIGINS
def test_row_2_a_proven_gap_is_filled(origin: Side) -> None:
    for direction in (LEADS[origin], Direction.BOTH):
        seen = sides(origin, P_ORIGIN, ABSENT)
        assert decide(None, *seen, direction) == CreateMirror(origin, ORIGIN_ID, 2)


@BOTH_ORIGINS
def test_row_2_a_gap_is_proven_before_it_is_filled(origin: Side) -> None:
    for direction in (LEADS[origin], Direction.BOTH):
        asked = decide(None, *sides(origin, P_ORIGIN, UNLISTED), direction)
        assert asked == Prove(frozenset({origin.other}))


@BOTH_ORIGINS
def test_row_2_the_oldest_of_several_origins_is_recorded(origin: Side) -> None:
    """By number: "9" was made before "10"."""
    assert bare(origin, present("10", "9"), ABSENT) == CreateMirror(origin, LinkId("9"), 2)


@BOTH_ORIGINS
def test_row_3_a_link_on_both_sides_is_preexisting(origin: Side) -> None:
    expected = RecordPreexisting(origin, ORIGIN_ID, LinkId("80"), 3)
    assert bare(origin, P_ORIGIN, present("81", "80")) == expected


def test_row_3_with_both_directions_the_left_is_called_the_origin() -> None:
    found = decide(None, P_ORIGIN, P_MINE, Direction.BOTH)
    assert found == RecordPreexisting(Side.LEFT, ORIGIN_ID, MIRROR_ID, 3)


@BOTH_ORIGINS
def test_row_4_in_step(origin: Side) -> None:
    assert managed(origin, P_ORIGIN, P_MINE) == InStep(ORIGIN_ID)
    assert managed(origin, P_ORIGIN, present("80", "99")) == InStep(ORIGIN_ID)


@BOTH_ORIGINS
def test_row_4_a_remade_origin_gives_its_new_id(origin: Side) -> None:
    assert managed(origin, present("75", "78"), P_MINE) == InStep(LinkId("75"))


@BOTH_ORIGINS
def test_row_5_a_mirror_that_vanished(origin: Side) -> None:
    seen = sides(origin, P_ORIGIN, ABSENT)
    detach = decide(row(origin=origin), *seen, Direction.BOTH, OnMirrorRemoved.DETACH)
    assert detach == Detach(5, vanished=True, keep_mirror_id=False)
    recreate = decide(row(origin=origin), *seen, Direction.BOTH, OnMirrorRemoved.RECREATE)
    assert recreate == CreateMirror(origin, ORIGIN_ID, 5)


@BOTH_ORIGINS
def test_row_6_another_link_in_our_mirrors_place(origin: Side) -> None:
    expected = RecordPreexisting(origin, ORIGIN_ID, LinkId("99"), 6)
    assert managed(origin, P_ORIGIN, P_OTHER) == expected


@BOTH_ORIGINS
def test_row_7_our_mirror_follows_its_origin(origin: Side) -> None:
    assert managed(origin, ABSENT, P_MINE) == RemoveMirror(origin.other, MIRROR_ID)
    assert managed(origin, ABSENT, present("80", "99")) == RemoveMirror(origin.other, MIRROR_ID)


@BOTH_ORIGINS
def test_row_7_wants_proof_of_the_origins_absence(origin: Side) -> None:
    assert managed(origin, UNLISTED, P_MINE) == Prove(frozenset({origin}))
    assert managed(origin, UNKNOWN, P_MINE) == Wait("issue_error")


@BOTH_ORIGINS
def test_row_8_another_link_is_never_taken_for_ours(origin: Side) -> None:
    gone = Detach(8, vanished=True, keep_mirror_id=False)
    assert managed(origin, ABSENT, P_OTHER) == gone


@BOTH_ORIGINS
@pytest.mark.parametrize("at_origin", [P_ORIGIN, ABSENT])
def test_rows_6_and_8_ask_what_became_of_ours(origin: Side, at_origin: Observed) -> None:
    assert managed(origin, at_origin, P_UNSURE) == Prove(frozenset({origin.other}))


@BOTH_ORIGINS
def test_rows_9_and_10_preexisting(origin: Side) -> None:
    record = row(State.PREEXISTING, origin, authorship=None)

    def of(at_origin: Observed, at_mirror: Observed) -> Decision:
        return decide(record, *sides(origin, at_origin, at_mirror), Direction.BOTH)

    assert of(P_ORIGIN, P_MINE) == Nothing(9)
    assert of(P_ORIGIN, P_UNSURE) == Nothing(9)
    assert of(P_ORIGIN, ABSENT) == Detach(10, keep_mirror_id=False)
    assert of(ABSENT, P_MINE) == Detach(10, keep_mirror_id=False)
    assert of(P_ORIGIN, UNLISTED) == Prove(frozenset({origin.other}))
    assert of(UNLISTED, P_MINE) == Prove(frozenset({origin}))
    assert of(UNLISTED, UNLISTED) == Prove(frozenset(Side))
    assert of(UNKNOWN, P_MINE) == Wait("issue_error")


@BOTH_ORIGINS
def test_rows_11_and_12_detached(origin: Side) -> None:
    record = row(State.DETACHED, origin)

    def of(at_origin: Observed, at_mirror: Observed) -> Decision:
        return decide(record, *sides(origin, at_origin, at_mirror), Direction.BOTH)

    assert of(P_ORIGIN, P_MINE) == ManageAgain(ORIGIN_ID)
    assert of(P_ORIGIN, P_OTHER) == Nothing(12)
    for other in (ABSENT, UNLISTED, UNKNOWN):
        assert of(P_ORIGIN, other) == Nothing(12)
        assert of(other, P_MINE) == Nothing(12)
    assert of(UNLISTED, ABSENT) == Prove(frozenset({origin}))
    assert of(UNKNOWN, UNLISTED) == Wait("issue_error")


@BOTH_ORIGINS
@pytest.mark.parametrize("authorship", [None, Authorship.THEIRS])
def test_row_11_only_what_we_made_is_managed_again(
    origin: Side, authorship: Authorship | None
) -> None:
    record = row(State.DETACHED, origin, authorship=authorship)
    assert decide(record, *sides(origin, P_ORIGIN, P_MINE), Direction.BOTH) == Nothing(12)
    nameless = row(State.DETACHED, origin, mirror_id=None)
    assert decide(nameless, *sides(origin, P_ORIGIN, P_MINE), Direction.BOTH) == Nothing(12)


@BOTH_ORIGINS
@pytest.mark.parametrize("state", [State.SUSPENDED, State.RELEASED, State.ORPHANED])
@pytest.mark.parametrize("at_origin", EVERY)
@pytest.mark.parametrize("at_mirror", EVERY)
def test_row_13_what_rests_is_left_alone(
    origin: Side, state: State, at_origin: Observed, at_mirror: Observed
) -> None:
    record = row(state, origin, former=State.MANAGED)
    seen = sides(origin, at_origin, at_mirror)
    assert decide(record, *seen, Direction.BOTH) == Nothing(13)


@BOTH_ORIGINS
@pytest.mark.parametrize("state", [State.MANAGED, State.PREEXISTING, State.DETACHED])
def test_row_14_gone_on_both_sides_is_forgotten(origin: Side, state: State) -> None:
    assert decide(row(state, origin), ABSENT, ABSENT, Direction.BOTH) == Forget()


@BOTH_ORIGINS
def test_row_15_what_is_not_known_waits(origin: Side) -> None:
    assert bare(origin, UNKNOWN, P_MINE) == Wait("issue_error")
    assert bare(origin, P_ORIGIN, UNKNOWN) == Wait("issue_error")
    assert managed(origin, P_ORIGIN, UNKNOWN) == Wait("issue_error")
    assert managed(origin, ABSENT, UNKNOWN) == Wait("issue_error")
    assert managed(origin, UNLISTED, UNKNOWN) == Wait("issue_error")


def test_row_15_an_unknown_side_that_cannot_lead_is_not_waited_for() -> None:
    assert decide(None, ABSENT, UNKNOWN, Direction.LEFT_TO_RIGHT) == Nothing(1)
    assert decide(None, UNLISTED, UNKNOWN, Direction.BOTH) == Wait("issue_error")
    assert decide(None, UNKNOWN, P_ORIGIN, Direction.BOTH) == Wait("issue_error")
