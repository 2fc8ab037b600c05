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
    Window,
    WindowCount,
    allow,
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
