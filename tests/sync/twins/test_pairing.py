"""Which claims may pair, before the twins that are there are asked."""

from collections.abc import Mapping
from typing import Any

from app.core.connection.projects import Projects
from app.core.evidence import IssueView
from app.core.links import IssueId, IssueKey, IssueRef, ProjectKey, Side
from app.sync.twins.pairing import Claim, judge

SCOPE = {Side.LEFT: Projects((ProjectKey("A"),)), Side.RIGHT: Projects((ProjectKey("B"),))}


def view(number: int, key: str) -> IssueView:
    project = ProjectKey(key.rpartition("-")[0])
    return IssueView(IssueRef(IssueId(str(number)), IssueKey(key)), project, ())


def claim(left: str, right: str) -> Claim:
    return Claim(IssueKey(left), IssueKey(right))


def seen(left: Mapping[str, IssueView], right: Mapping[str, IssueView]) -> Any:
    return {
        Side.LEFT: {IssueKey(key): it for key, it in left.items()},
        Side.RIGHT: {IssueKey(key): it for key, it in right.items()},
    }


LEFT = {f"A-{n}": view(n, f"A-{n}") for n in range(1, 5)}
RIGHT = {f"B-{n}": view(n, f"B-{n}") for n in range(1, 5)}


def test_free_pairs_may_pair() -> None:
    found = judge([claim("A-1", "B-1"), claim("A-2", "B-2")], seen(LEFT, RIGHT), SCOPE)
    assert [it.status for it in found] == ["paired", "paired"]


def test_the_same_number_on_both_sides_is_no_repeat() -> None:
    """Ids of two sites have nothing to do with each other."""
    [it] = judge([claim("A-1", "B-1")], seen(LEFT, RIGHT), SCOPE)
    assert it.status == "paired"


def test_an_issue_that_is_named_twice_pairs_with_neither() -> None:
    claims = [claim("A-1", "B-1"), claim("A-1", "B-2"), claim("A-3", "B-3")]
    found = judge(claims, seen(LEFT, RIGHT), SCOPE)
    assert [it.status for it in found] == ["ambiguous", "ambiguous", "paired"]
    found = judge([claim("A-1", "B-1"), claim("A-2", "B-1")], seen(LEFT, RIGHT), SCOPE)
    assert [it.status for it in found] == ["ambiguous", "ambiguous"]


def test_one_issue_under_two_keys_is_named_twice() -> None:
    """A key from before a move still finds its issue."""
    left = {"A-1": view(1, "A-9"), "A-9": view(1, "A-9")}
    found = judge([claim("A-1", "B-1"), claim("A-9", "B-2")], seen(left, RIGHT), SCOPE)
    assert [it.status for it in found] == ["ambiguous", "ambiguous"]


def test_the_project_that_counts_is_the_present_one() -> None:
    left = {"A-1": view(1, "X-1"), "Y-1": view(2, "A-7")}
    found = judge([claim("A-1", "B-1"), claim("Y-1", "B-2")], seen(left, RIGHT), SCOPE)
    assert [it.status for it in found] == ["wrong_project", "paired"]


def test_what_a_site_does_not_show_is_unknown() -> None:
    found = judge([claim("A-9", "B-1"), claim("A-1", "B-9")], seen(LEFT, RIGHT), SCOPE)
    assert [it.status for it in found] == ["unknown_issue", "unknown_issue"]
    assert ["left" in it.detail for it in found] == [True, False]
