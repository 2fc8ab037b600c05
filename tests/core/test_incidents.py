"""What is said of incidents, whom they wake, and what is taken for their reason."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.incident_words import Named, calls, message, sentences
from app.core.incidents import (
    GATHER,
    KINDS,
    Change,
    Detail,
    Impact,
    correlated,
    gathers,
    public,
    traits_of,
    wakes,
)

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


@pytest.mark.parametrize(
    ("began", "reason"),
    [
        (-1, None),  # before both
        (0, "revision 2"),
        (29, "revision 2"),
        (30, "revision 2"),
        (31, None),
        (40, "engine 2"),  # the later of two that are close
        (45, "engine 2"),
        (71, None),
    ],
)
def test_what_began_soon_after_a_change_comes_of_it(began: int, reason: str | None) -> None:
    changes = [Change("engine 2", NOON + minutes(40)), Change("revision 2", NOON)]
    found = correlated(NOON + minutes(began), changes)
    assert (found.what if found else None) == reason


def test_of_two_close_changes_the_later_counts() -> None:
    changes = [Change("a", NOON), Change("b", NOON + minutes(5)), Change("c", NOON + minutes(9))]
    found = correlated(NOON + minutes(7), changes)
    assert found is not None
    assert found.what == "b"
    assert correlated(None, changes) is None


def test_only_what_cannot_wait_wakes_anybody() -> None:
    waking = {kind for kind in KINDS if wakes(kind, Impact.CRITICAL)}
    assert waking == {
        "secret_misplaced",
        "unmanaged_removed",
        "audit_broken",
        "deliveries_rejected",
        "write_unconfirmed",
    }
    assert not any(wakes(kind, Impact.MINOR) for kind in KINDS)
    assert wakes("audit_broken", Impact.MAJOR)
    assert not wakes("something_new", Impact.CRITICAL)


def test_entries_gather_for_a_minute_or_while_nothing_is_new() -> None:
    assert gathers(NOON, {"held": 1}, NOON + GATHER - minutes(0.01), {"held": 2})
    assert not gathers(NOON, {"held": 1}, NOON + GATHER, {"held": 2})
    assert gathers(NOON, {"held": 1}, NOON + minutes(600), {"held": 1})


def test_issue_keys_are_for_some_eyes_only() -> None:
    detail: Detail = {
        "removed": 3,
        "issue_keys": "nothing of note",
        "source_key": "hidden",
        "fault": "at ABC-12 it ends",
        "window": "hour",
    }
    assert public(detail) == {"removed": 3, "window": "hour"}
    said = sentences("unmanaged_removed", detail)
    assert "ABC-12" not in said
    assert "hidden" not in said


TRIP: Detail = {
    "window": "hour",
    "removed": 10,
    "held": 50,
    "first_removal": "2030-01-01T12:00:00Z",
    "last_removal": "2030-01-01T12:03:00Z",
    "causes": "webhook 10",
    "revision": 3,
    "revision_since": "2030-01-01T11:50:00Z",
    "engines": "twinlink/9",
    "correlated": "revision 3, active since 2030-01-01T11:50:00Z",
}


def test_a_trip_in_words() -> None:
    assert sentences("guard_tripped", TRIP) == (
        "The guard tripped: the limit of an hour is used up. 10 removals went through, 50 are held."
        " The first was at 2030-01-01T12:00:00Z, the last at 2030-01-01T12:03:00Z."
        " Causes: webhook 10. Revision 3 is active since 2030-01-01T11:50:00Z."
        " Written by twinlink/9. It began soon after revision 3, active since 2030-01-01T11:50:00Z."
    )


@pytest.mark.parametrize("missing", TRIP)
@pytest.mark.parametrize("kind", KINDS)
def test_no_missing_fact_breaks_what_it_is_said_in(kind: str, missing: str) -> None:
    """It would break the transaction that latches the guard."""
    assert sentences(kind, {name: fact for name, fact in TRIP.items() if name != missing})


def test_a_trip_names_the_roll_back_and_the_restore() -> None:
    back, restore, held = calls("guard_tripped", TRIP, connection="ab")
    assert (back.method, back.path, back.body) == (
        "POST",
        "/connections/ab/rollback",
        {"revision": 2, "undo": True},
    )
    assert back.command == "twinlink rollback ab --to 2 --undo"
    assert restore.body == {
        "connection": "ab",
        "since": "2030-01-01T12:00:00Z",
        "operation": "remove",
    }
    assert held.command == "twinlink plan list --status held"


def test_the_first_revision_has_nothing_to_go_back_to() -> None:
    found = calls("guard_tripped", {**TRIP, "revision": 1}, connection="ab")
    assert not any("rollback" in call.path for call in found)


def test_the_roll_back_goes_before_what_it_correlates_with() -> None:
    """Not before what became active since, nor to what was only tried in shadow."""
    back, *_ = calls("guard_tripped", {**TRIP, "revision_before": 1}, connection="ab")
    assert back.body == {"revision": 1, "undo": True}


def test_what_the_monitor_found_is_restored_by_site() -> None:
    found = calls("unmanaged_removed", {"first_removal": "2030-01-01T12:00:00Z"}, site="left")
    assert [call.command for call in found] == [
        "twinlink restore --site left --since 2030-01-01T12:00:00Z"
    ]


@pytest.mark.parametrize("kind", [*KINDS, "of_a_later_version"])
def test_every_kind_has_words(kind: str) -> None:
    assert traits_of(kind).title
    assert sentences(kind, {}).endswith(".")
    said = message(Named(7, kind, "ab", Impact.MAJOR), "opened", sentences(kind, {}))
    assert "ab" in said.title
    assert "twinlink incident show 7" in said.body


def test_worse_and_resolved_are_told_although_opened_just_was() -> None:
    it = Named(7, "deliveries_rejected", "left", Impact.MINOR)
    worse = Named(7, "deliveries_rejected", "left", Impact.MAJOR)
    keys = {message(it, "opened", "").key, message(worse, "worse", "").key}
    keys.add(message(worse, "resolved", "").key)
    assert len(keys) == 3


def test_what_vanished_names_the_plan_that_puts_it_back() -> None:
    facts: Detail = {"vanished": 10, "withheld": 5, "restore_plan": 7, "first_removal": "x"}
    assert "Plan 7 would put them back." in sentences("mirrors_vanished", facts)
    found = calls("mirrors_vanished", facts, connection="ab")
    assert [call.command for call in found] == [
        "twinlink plan show 7",
        "twinlink plan approve 7",
        "twinlink plan list --status held",
    ]


def test_what_the_monitor_found_is_said_in_words() -> None:
    detail: Detail = {"links": 3, "verdicts": "denied, unmanaged", "issue_keys": "A-1"}
    assert sentences("unmanaged_removed", detail) == (
        "Jira's changelog shows 3 removals by our account that nothing accounts for."
        " Found: the audit says that it did not happen; another account made the link."
        " Every connection of the site is paused until a person resumes it."
    )
    assert sentences("removal_unclear", {"links": 1, "verdicts": "unclear"}) == (
        "1 removals by our account are in the audit, but whose links they were cannot be"
        " determined from Jira's changelog. Found: nothing shows who made the link. Nothing is"
        " paused; a person has to look."
    )
