"""Links that another connection manages: present, but never an origin."""

import pytest

from app.core.config import Direction, OnMirrorRemoved
from app.core.diff import (
    CreateMirror,
    Detach,
    InStep,
    ManageAgain,
    Nothing,
    Prove,
    RecordPreexisting,
    Wait,
    decide,
)
from app.core.evidence import Observed, Unknown
from app.core.ledger import State
from app.core.links import LinkId, Side
from tests.core.cases import ABSENT, ORIGIN_ID, UNLISTED, present, row, sides

FOREIGN = present("70", foreign=("70",))
MIXED = present("60", "70", foreign=("60",))
BOTH_ORIGINS = pytest.mark.parametrize("origin", list(Side))
BOTH = Direction.BOTH


@BOTH_ORIGINS
@pytest.mark.parametrize("mirror", [ABSENT, UNLISTED])
def test_a_mirror_of_another_connection_is_not_mirrored_on(origin: Side, mirror: Observed) -> None:
    assert decide(None, *sides(origin, FOREIGN, mirror), BOTH) == Nothing(1)


@BOTH_ORIGINS
def test_beside_it_a_link_of_their_own_is(origin: Side) -> None:
    """Both directions of a symmetric type may stand there, one of them a person's."""
    assert decide(None, *sides(origin, MIXED, ABSENT), BOTH) == CreateMirror(origin, ORIGIN_ID, 2)


@BOTH_ORIGINS
def test_an_origin_whose_mirror_another_connection_made_is_preexisting(origin: Side) -> None:
    there = present("80", foreign=("80",))
    found = decide(None, *sides(origin, present("70"), there), BOTH)
    assert found == RecordPreexisting(origin, ORIGIN_ID, LinkId("80"), 3)


@BOTH_ORIGINS
def test_the_presence_of_a_foreign_link_is_no_absence_of_the_origin(origin: Side) -> None:
    seen = sides(origin, FOREIGN, present("80"))
    assert decide(row(origin=origin), *seen, BOTH) == Wait("managed_elsewhere")


@BOTH_ORIGINS
@pytest.mark.parametrize("on_removed", list(OnMirrorRemoved))
def test_where_ours_is_gone_as_well_nothing_is_kept(
    origin: Side, on_removed: OnMirrorRemoved
) -> None:
    """Never made anew from another connection's mirror; and its place is free for others."""
    seen = sides(origin, FOREIGN, ABSENT)
    found = decide(row(origin=origin), *seen, BOTH, on_removed)
    assert found == Detach(5, vanished=True, keep_mirror_id=False)


@BOTH_ORIGINS
def test_that_ours_is_gone_has_to_be_proven(origin: Side) -> None:
    managed = row(origin=origin)
    found = decide(managed, *sides(origin, FOREIGN, UNLISTED), BOTH)
    assert found == Prove(frozenset({origin.other}))
    unseen = Unknown("issue_error")
    assert isinstance(decide(managed, *sides(origin, FOREIGN, unseen), BOTH), Wait)


@BOTH_ORIGINS
def test_in_step_with_an_origin_of_its_own_beside_it(origin: Side) -> None:
    seen = sides(origin, present("60", "70", foreign=("70",)), present("80"))
    assert decide(row(origin=origin), *seen, BOTH) == InStep(LinkId("60"))


@BOTH_ORIGINS
def test_a_detached_row_is_not_taken_up_for_a_foreign_origin(origin: Side) -> None:
    detached = row(State.DETACHED, origin)
    assert decide(detached, *sides(origin, FOREIGN, present("80")), BOTH) == Nothing(12)
    taken = decide(detached, *sides(origin, MIXED, present("80")), BOTH)
    assert taken == ManageAgain(ORIGIN_ID)
