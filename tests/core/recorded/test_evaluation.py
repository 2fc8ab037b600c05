"""Decisions made again: equal ones pass, others are grouped by their rule."""

from dataclasses import replace
from time import perf_counter

from app.core.config import Direction, OnMirrorRemoved
from app.core.diff import Decision, RemoveMirror, decide
from app.core.evidence import Absent, Observed, Present
from app.core.ledger import LinkKey, Row
from app.core.links import LinkId, Side, TypeId
from app.core.recorded import outcome
from app.core.recorded.evaluation import EXAMPLES, Evaluation, Recorded, Rule
from app.core.recorded.inputs import VERSION, Inputs, encode

KEY = LinkKey(TypeId("10001"), 1, 2)
FOREIGN = Inputs(
    None,
    Absent({"ends": "complete"}),
    Present(frozenset({LinkId("7")})),
    Direction.LEFT_TO_RIGHT,
    OnMirrorRemoved.DETACH,
)
NEW = replace(FOREIGN, left=FOREIGN.right, right=FOREIGN.left)


def recorded(number: int, inputs: Inputs) -> Recorded:
    made = inputs.decision()
    return Recorded(
        number, 1, 1, KEY, "twinlink/1", outcome.word(made), outcome.row(made),
        outcome.text(made), VERSION, encode(inputs),
    )  # fmt: skip


def incident(
    row: Row | None,
    left: Observed,
    right: Observed,
    direction: Direction,
    policy: OnMirrorRemoved = OnMirrorRemoved.DETACH,
) -> Decision:
    """The rule of the incident: what the source lacks goes, whoever made it."""
    if isinstance(left, Absent) and isinstance(right, Present):
        return RemoveMirror(Side.RIGHT, min(right.ids))
    return decide(row, left, right, direction, policy)


def test_the_code_that_decided_differs_from_itself_nowhere() -> None:
    found = Evaluation()
    found.add([recorded(1, FOREIGN), recorded(2, NEW)])
    assert (found.compared, found.differ, found.unreadable) == (2, 0, {})


def test_the_rule_of_the_incident_is_found() -> None:
    found = Evaluation()
    found.add([recorded(number, FOREIGN) for number in range(9)] + [recorded(9, NEW)], incident)
    (rule,) = found.differences
    assert rule == Rule(1, "nothing", 7, "remove_mirror")
    assert rule.removes
    assert found.differ == 9
    assert len(found.differences[rule].examples) == EXAMPLES
    assert found.differences[rule].examples[0].key == KEY


def test_what_cannot_be_read_is_counted() -> None:
    found = Evaluation()
    unknown = replace(recorded(1, NEW), version=9)
    broken = replace(recorded(2, NEW), inputs="{}")
    found.add([unknown, broken, recorded(3, NEW)])
    assert (found.compared, found.differ) == (1, 0)
    assert found.unreadable == {9: 1, VERSION: 1}


def test_a_rule_that_breaks_differs() -> None:
    def broken(*_: object) -> Decision:
        raise AssertionError

    found = Evaluation()
    found.add([recorded(1, NEW)], broken)
    assert list(found.differences) == [Rule(2, "create_mirror", 0, "error")]


def test_a_hundred_thousand_in_a_minute() -> None:
    """A tenth of it, with much to spare for a busy machine."""
    records = [recorded(number, FOREIGN) for number in range(10_000)]
    began = perf_counter()
    found = Evaluation()
    found.add(records)
    assert found.compared == 10_000
    assert perf_counter() - began < 6
