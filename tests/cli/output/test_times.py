"""Times as people write them, in the zone of this machine."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.cli.output.layout import short_time, short_times, when
from app.cli.output.times import parsed

BERLIN = timezone(timedelta(hours=1))
NOW = datetime(2026, 11, 28, 14, 30, 15, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1h", "2026-11-28T12:30:15+00:00"),
        ("90 min ago", "2026-11-28T12:00:15+00:00"),
        ("2d", "2026-11-26T13:30:15+00:00"),
        ("now", "2026-11-28T13:30:15+00:00"),
        ("today", "2026-11-27T23:00:00+00:00"),
        ("Yesterday", "2026-11-26T23:00:00+00:00"),
        ("2026-11-28", "2026-11-27T23:00:00+00:00"),
        ("2026-11-28 06:38", "2026-11-28T05:38:00+00:00"),
        ("2026-11-28T06:38:37", "2026-11-28T05:38:37+00:00"),
        ("2026-11-28T06:38:37.859102Z", "2026-11-28T06:38:37.859102+00:00"),
        ("2026-11-28T06:38:37+05:00", "2026-11-28T01:38:37+00:00"),
    ],
)
def test_a_time_is_read_as_it_is_meant(text: str, wanted: str) -> None:
    assert parsed(text, NOW).astimezone(UTC).isoformat() == wanted


def test_a_length_may_lie_ahead() -> None:
    assert parsed("90d", NOW, ahead=True) == NOW + timedelta(days=90)


@pytest.mark.parametrize("text", ["", "soon", "28.11.2026", "1 fortnight", "h", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the standard library's words
        parsed(text, NOW)


def test_a_time_is_short_where_a_person_reads() -> None:
    assert short_time("2026-11-28T06:38:37.859102Z", NOW) == "07:38:37"
    assert short_time("2026-11-20T06:38:37Z", NOW) == "2026-11-20 07:38"
    assert short_time("plan 3", NOW) == "plan 3"
    assert short_time("2026-11-27T06:38:37Z", NOW) == "yesterday 07:38"
    assert short_time("2026-11-29T06:38:37Z", NOW) == "tomorrow 07:38"


def test_a_time_within_a_sentence_is_short_too() -> None:
    said = "it goes on since 2026-11-28T06:38:37.859102Z, after 2026-11-20T06:38:37Z."
    assert short_times(said, NOW) == "it goes on since 07:38:37, after 2026-11-20 07:38."
    command = "twinlink restore --since 2026-11-28T06:38:37Z --until=2026-11-28T06:38:37Z"
    assert short_times(command, NOW) == command


@pytest.mark.parametrize(
    ("time", "wanted"),
    [
        ("2026-11-28T16:30:15Z", "in 3 h"),
        ("2026-11-28T13:42:15+00:00", "in 12 min"),
        ("2026-11-27T13:05:00Z", "yesterday 14:05"),
        ("2026-11-28T13:05:00Z", "at 14:05:00"),
        ("2026-11-20T06:38:37Z", "on 2026-11-20 07:38"),
        ("2026-12-20T06:38:37Z", "on 2026-12-20 07:38"),
    ],
)
def test_a_sentence_ends_in_a_time(time: str, wanted: str) -> None:
    assert when(time, NOW) == wanted
