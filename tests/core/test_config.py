"""Configurations: every problem by its pointer, and revisions that come back as they went in."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.core.config import (
    ConnectionConfig,
    Direction,
    End,
    GuardLimits,
    Mode,
    OnIssueDeleted,
    OnMirrorRemoved,
    TwinSource,
    TypePair,
    WindowLimits,
    problems,
)
from app.core.links import ProjectKey, Side, TypeId
from tests.core.cases import BEZIEHUNG, BLOCKS, GERMAN, RELATES

A, B, C = ProjectKey("A"), ProjectKey("B"), ProjectKey("C")
SOUND = ConnectionConfig(
    left=End("left", (A, B)),
    right=End("right", (C,)),
    direction=Direction.BOTH,
    link_types=(TypePair(BLOCKS, GERMAN, reversed=True), TypePair(RELATES, BEZIEHUNG)),
)
HOUR, DAY = GuardLimits().hour, GuardLimits().day


def with_hour(**changes: Any) -> ConnectionConfig:
    return replace(SOUND, guard=GuardLimits(replace(HOUR, **changes), DAY))


def with_day(**changes: Any) -> ConnectionConfig:
    return replace(SOUND, guard=GuardLimits(HOUR, replace(DAY, **changes)))


def types(*pairs: TypePair) -> ConnectionConfig:
    return replace(SOUND, link_types=pairs)


CASES: list[tuple[ConnectionConfig, list[str]]] = [
    (SOUND, []),
    (replace(SOUND, right=End("left", (C,))), ["/right/site"]),
    (replace(SOUND, left=End("left", ())), ["/left/projects"]),
    (replace(SOUND, right=End("right", (C, C))), ["/right/projects"]),
    (types(), ["/link_types"]),
    (
        types(TypePair(BLOCKS, GERMAN), TypePair(BLOCKS, replace(GERMAN, id=TypeId("77")))),
        ["/link_types/0/left", "/link_types/1/left"],
    ),
    (
        types(TypePair(BLOCKS, GERMAN), TypePair(replace(BLOCKS, id=TypeId("77")), GERMAN)),
        ["/link_types/0/right", "/link_types/1/right"],
    ),
    (types(TypePair(RELATES, GERMAN)), ["/link_types/0"]),
    (types(TypePair(BLOCKS, BEZIEHUNG)), ["/link_types/0"]),
    (types(TypePair(RELATES, BEZIEHUNG, reversed=True)), ["/link_types/0/reversed"]),
    (with_hour(share=0.0009), ["/guard/hour/share"]),
    (with_hour(share=0.51), ["/guard/hour/share"]),
    (with_hour(max=501), ["/guard/hour/max"]),
    (with_hour(max=0), ["/guard/hour/max", "/guard/hour/min"]),
    (with_hour(min=0), ["/guard/hour/min"]),
    (with_hour(min=101), ["/guard/hour/min"]),
    (with_day(max=2001), ["/guard/day/max"]),
    (with_day(share=float("nan")), ["/guard/day/share"]),
    (replace(SOUND, twins=TwinSource("field", Side.LEFT, None)), ["/twins"]),
    (replace(SOUND, twins=TwinSource("field", None, "customfield_1")), ["/twins"]),
    (replace(SOUND, twins=TwinSource("api", Side.LEFT, None)), ["/twins"]),
    (replace(SOUND, twins=TwinSource("field", Side.LEFT, "customfield_1")), []),
]


@pytest.mark.parametrize(("config", "pointers"), CASES)
def test_problems(config: ConnectionConfig, pointers: list[str]) -> None:
    assert [it.pointer for it in problems(config)] == pointers


def test_the_bounds_themselves_are_allowed() -> None:
    at_the_edge = GuardLimits(WindowLimits(0.5, 1, 500), WindowLimits(0.001, 2000, 2000))
    assert problems(replace(SOUND, guard=at_the_edge)) == []


def test_all_problems_are_named_at_once() -> None:
    broken = replace(with_hour(share=9), left=End("x", ()), right=End("x", ()))
    assert len(problems(broken)) == 4


def test_a_revision_comes_back_as_it_was_stored() -> None:
    rich = replace(
        SOUND,
        on_mirror_removed=OnMirrorRemoved.RECREATE,
        on_issue_deleted=OnIssueDeleted.REMOVE,
        guard=GuardLimits(WindowLimits(0.5, 1, 2), DAY),
        twins=TwinSource("field", Side.RIGHT, "customfield_1"),
    )
    for config in (SOUND, rich):
        assert ConnectionConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    ("direction", "left", "right"),
    [
        (Direction.LEFT_TO_RIGHT, True, False),
        (Direction.RIGHT_TO_LEFT, False, True),
        (Direction.BOTH, True, True),
    ],
)
def test_which_side_may_lead(direction: Direction, left: bool, right: bool) -> None:
    assert direction.allows_origin(Side.LEFT) == left
    assert direction.allows_origin(Side.RIGHT) == right


def test_pairs_are_found_from_either_side() -> None:
    assert SOUND.pair_of(Side.LEFT, BLOCKS.id) == SOUND.link_types[0]
    assert SOUND.pair_of(Side.RIGHT, GERMAN.id) == SOUND.link_types[0]
    assert SOUND.pair_of(Side.RIGHT, BLOCKS.id) is None
    assert SOUND.end(Side.LEFT).site == "left"


def test_modes_rank_by_what_they_may_write() -> None:
    by_rank: Callable[[Mode], int] = lambda mode: mode.rank  # noqa: E731
    assert sorted(Mode, key=by_rank) == [Mode.SHADOW, Mode.CREATE_ONLY, Mode.REVIEW, Mode.LIVE]
