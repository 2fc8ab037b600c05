"""The guard's numbers: limits, rooms, the latch, and windows that slide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.config import GuardLimits, WindowLimits
from app.core.guard import (
    DAY,
    HOUR,
    SITE_HOUR_LIMIT,
    Allowance,
    Standing,
    Window,
    WindowCount,
    allow,
    empties_issue,
    leaves_none,
    limit,
    windows,
)

HOURLY = WindowLimits(share=0.01, min=10, max=100)


@pytest.mark.parametrize(
    ("managed", "expected"),
    [(0, 10), (999, 10), (1000, 10), (1099, 10), (1100, 11), (10_000, 100), (10**7, 100)],
)
def test_a_limit_is_the_share_within_min_and_max(managed: int, expected: int) -> None:
    assert limit(HOURLY, managed) == expected


def test_what_was_managed_at_the_start_of_the_window() -> None:
    """Else a burst of creations, or the removals themselves, would move the limit."""
    assert (
        WindowCount("hour", HOUR, 0, managed=900, created=300, removed=50).managed_at_start == 650
    )
    assert WindowCount("hour", HOUR, 0, managed=1, created=5, removed=0).managed_at_start == 0


def test_windows_as_people_see_them() -> None:
    counts = [
        WindowCount("hour", HOUR, used=4, managed=2000, created=0, removed=0),
        WindowCount("day", DAY, used=30, managed=2000, created=0, removed=0),
        WindowCount("site_hour", HOUR, used=150, managed=0, created=0, removed=0),
    ]
    assert windows(GuardLimits(), counts) == [
        Window("hour", HOUR, 20, 4),
        Window("day", DAY, 100, 30),
        Window("site_hour", HOUR, SITE_HOUR_LIMIT, 150),
    ]


def window(scope: str, limit_: int, used: int) -> Window:
    return Window(scope, HOUR, limit_, used)


def test_all_go_while_every_window_has_room() -> None:
    assert allow(6, [window("hour", 10, 4), window("day", 20, 0)], latched=False) == Allowance(
        6, None
    )


def test_the_fullest_window_decides_and_trips() -> None:
    seen = [window("hour", 10, 4), window("day", 20, 18), window("site_hour", 200, 0)]
    assert allow(6, seen, latched=False) == Allowance(2, "day")


def test_an_overdrawn_window_grants_nothing() -> None:
    assert allow(1, [window("hour", 10, 25)], latched=False) == Allowance(0, "hour")


def test_latched_grants_nothing_whatever_room_there_is() -> None:
    assert allow(1, [window("hour", 10, 0)], latched=True) == Allowance(0, None)


def test_without_windows_nothing_is_granted() -> None:
    assert allow(1, [], latched=False) == Allowance(0, "none")


WINDOWS = st.lists(
    st.builds(
        Window,
        st.sampled_from(["hour", "day", "site_hour"]),
        st.just(HOUR),
        st.integers(0, 500),
        st.integers(0, 600),
    ),
    max_size=4,
)


@given(st.integers(0, 1000), WINDOWS, st.booleans())
def test_never_more_than_any_window_has_room_for(
    asked: int, seen: list[Window], latched: bool
) -> None:
    it = allow(asked, seen, latched=latched)
    assert 0 <= it.granted <= asked
    assert all(it.granted <= max(0, w.limit - w.used) for w in seen)
    assert not latched or it.granted == 0
    if not latched:
        assert (it.tripped_by is None) == (it.granted == asked)


@given(st.lists(st.tuples(st.integers(0, 7200), st.integers(1, 40)), max_size=30))
def test_no_sliding_hour_ever_holds_more_than_the_limit(bursts: list[tuple[int, int]]) -> None:
    """Whatever is asked and whenever, with the guard re-armed at once each time it trips."""
    removed: list[int] = []
    for at, asked in sorted(bursts):
        used = sum(at - HOUR < then <= at for then in removed)
        removed += [at] * allow(asked, [window("hour", 10, used)], latched=False).granted
    assert all(sum(at - HOUR < then <= at for then in removed) <= 10 for at in removed)


@given(
    st.builds(WindowLimits, st.floats(0.001, 0.5), st.integers(1, 500), st.integers(1, 500)),
    st.integers(0, 10**6),
)
def test_a_limit_never_exceeds_max(limits: WindowLimits, managed: int) -> None:
    assert limit(limits, managed) <= limits.max


@pytest.mark.parametrize(
    ("left", "asked", "gone", "held"),
    [
        (0, 3, 0, True),
        (0, 2, 0, False),
        (0, 1, 1, False),
        (0, 1, 2, True),
        (1, 5, 2, False),
        (1, 500, 0, False),
        (0, 0, 9, False),
    ],
)
def test_the_last_of_three_or_more_links_stay(left: int, asked: int, gone: int, held: bool) -> None:
    assert leaves_none(Standing(left, asked, gone)) == held


@pytest.mark.parametrize(
    ("left", "asked", "gone", "held"),
    [
        (1, 4, 0, True),
        (2, 3, 0, False),
        (0, 4, 0, False),
        (0, 5, 0, True),
        (1, 1, 3, True),
        (2, 1, 2, False),
        (2, 8, 0, True),
        (3, 7, 0, False),
        (20, 80, 0, True),
        (21, 79, 0, False),
        (0, 0, 9, False),
    ],
)
def test_four_fifths_of_one_issues_five_or_more_links_stay(
    left: int, asked: int, gone: int, held: bool
) -> None:
    assert empties_issue(Standing(left, asked, gone)) == held


@given(st.integers(0, 40), st.lists(st.integers(1, 10), max_size=40))
def test_what_is_held_at_once_does_not_go_one_by_one(links: int, bursts: list[int]) -> None:
    """However the removals of one day are cut into looks, and with every one that is held taken
    out of what is left as a plan that waits is: a fifth of five or more links, and the last of
    three or more, are still there."""
    at_issue, of_all = Standing(links, 0, 0), Standing(links, 0, 0)
    for burst in bursts:
        asked = min(burst, at_issue.left)
        wanted = Standing(at_issue.left - asked, asked, at_issue.gone)
        if not empties_issue(wanted):
            at_issue = Standing(wanted.left, 0, wanted.gone + asked)
        asked = min(burst, of_all.left)
        wanted = Standing(of_all.left - asked, asked, of_all.gone)
        if not leaves_none(wanted):
            of_all = Standing(wanted.left, 0, wanted.gone + asked)
    assert links < 5 or at_issue.left * 5 > links
    assert links < 3 or of_all.left > 0
