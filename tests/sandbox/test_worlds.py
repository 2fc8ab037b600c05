"""The mixed world and what the incident's rule would do to it."""

from __future__ import annotations

import pytest

from app.sandbox import ManualClock
from app.sandbox.worlds import ACCOUNT, CANARY, Places, Sizes, build, build_beside, demo


def test_the_demo_world_has_137_links_that_the_left_lacks() -> None:
    world = demo()
    kept = world.right.fingerprint()
    assert len(world.lacking()) == 137
    copy = world.copy()
    assert copy.incident_rule() == 137
    assert copy.lacking() == []
    assert len(copy.right.mutations.select("removed", ACCOUNT)) == 137
    assert world.right.fingerprint() == kept
    assert not world.right.mutations.select("removed")


@pytest.mark.parametrize("seed", range(5))
def test_sizes_hold_for_any_seed(seed: int) -> None:
    sizes = Sizes(pairs=40, foreign_right=30, both_sides=12, left_only=7, hub=5)
    world = build(sizes, seed=seed, right_flavour="datacenter")
    assert len(world.lacking()) == 30
    assert len(world.twins) == 40
    assert len(world.left.links) == 12 + 7
    assert len(world.right.links) == 12 + 30 + sizes.epics


def test_a_world_is_deterministic() -> None:
    first, second = (build(seed=3, clock=ManualClock()) for _ in range(2))
    assert first.right.fingerprint() == second.right.fingerprint()
    assert first.tokens == second.tokens
    assert build(seed=4, clock=ManualClock()).right.fingerprint() != first.right.fingerprint()


def test_ids_differ_and_texts_carry_the_canary() -> None:
    world = demo()
    left = {made.name: made.id for made in world.left.types.values()}
    right = {made.name: made.id for made in world.right.types.values()}
    assert set(left.values()).isdisjoint(right.values())
    assert all(CANARY in issue.summary for issue in world.left.issues.values())
    assert {link_actor.actor for link_actor in world.right.mutations} <= {
        "ann", "bob", "carla", "importer",
    }  # fmt: skip
    assert world.right.user(ACCOUNT).time_zone == "Asia/Kolkata"


def test_too_small_a_world_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        build(Sizes(pairs=3, foreign_right=50, hub=0))


def test_a_second_world_stands_beside_the_first_and_shares_nothing_but_the_sites() -> None:
    sizes = Sizes(pairs=40, both_sides=12, left_only=7, foreign_right=30, hub=5, epics=0)
    first = build(sizes)
    clock = first.left.clock
    second = build_beside(first, Places("C", "D", "Q", "R"), sizes)
    assert (second.left, second.right) == (first.left, first.right)
    assert first.left.clock is clock
    assert not {key for pair in first.twins for key in pair} & {
        key for pair in second.twins for key in pair
    }
    assert all(left.startswith("C-") and right.startswith("D-") for left, right in second.twins)
    assert (len(first.lacking()), len(second.lacking())) == (30, 30)
    assert len(first.left.links) == 2 * (12 + 7)
    assert first.tokens == second.tokens
