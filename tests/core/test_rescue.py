"""Links that somebody removed, from what both ends tell: the table, row by row."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.evidence import LinkChange
from app.core.links import AccountId, IssueId, IssueKey, IssueRef, LinkType, TypeId
from app.core.rescue import Culprit, removed_links

BLOCKS = LinkType(TypeId("1"), "Blocks", "is blocked by", "blocks")
RELATES = LinkType(TypeId("2"), "Relates", "relates to", "relates to")
ALSO = LinkType(TypeId("3"), "Also", "is blocked by", "also blocks")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BOT, ANN = AccountId("bot"), AccountId("ann")
BY_BOT = Culprit(BOT, NOON, NOON + timedelta(hours=1))
ONE, TWO = IssueRef(IssueId("1"), IssueKey("A-1")), IssueRef(IssueId("2"), IssueKey("A-2"))
ISSUES = {ONE.id: ONE, TWO.id: TWO}
KEYS = {ONE.key: ONE.id, TWO.key: TWO.id, IssueKey("OLD-2"): TWO.id}


def told(
    target: str,
    wording: str,
    *,
    minutes: float = 1,
    author: AccountId = BOT,
    added: bool = False,
) -> LinkChange:
    at = NOON + timedelta(minutes=minutes)
    text = f"This issue {wording} {target}"
    return LinkChange(at, author, added, IssueKey(target), text, "1")


OURS, THEIRS = told("A-2", "blocks"), told("A-1", "is blocked by")


def found(
    one: list[LinkChange], two: list[LinkChange], *types: LinkType
) -> tuple[list[tuple[str, str, str]], dict[str, int]]:
    changes = {ONE.id: one, TWO.id: two}
    got = removed_links(ISSUES, changes, KEYS, types or (BLOCKS, RELATES), BY_BOT)
    links = [(str(it.source.key), it.kind.name, str(it.destination.key)) for it in got.removed]
    return links, dict(got.unread)


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ([OURS], [THEIRS], [("A-1", "Blocks", "A-2")]),
        ([told("A-2", "is blocked by")], [told("A-1", "blocks")], [("A-2", "Blocks", "A-1")]),
        ([told("A-2", "relates to")], [told("A-1", "relates to")], [("A-1", "Relates", "A-2")]),
        ([told("OLD-2", "blocks")], [THEIRS], [("A-1", "Blocks", "A-2")]),
        ([told("A-2", "blocks", minutes=0.9, added=True), OURS], [THEIRS], None),
    ],
    ids=["outward", "inward", "symmetric", "by a former key", "made by it before"],
)
def test_both_ends_tell_it(
    one: list[LinkChange], two: list[LinkChange], expected: list[tuple[str, str, str]] | None
) -> None:
    assert found(one, two) == (expected or [("A-1", "Blocks", "A-2")], {})


@pytest.mark.parametrize(
    ("one", "two", "why"),
    [
        ([OURS], [], "one_sided"),
        ([OURS], [told("A-1", "is blocked by", author=ANN)], "changed_since"),
        ([OURS], [told("A-1", "is blocked by", minutes=9)], "one_sided"),
        ([OURS], [told("A-1", "blocks")], "one_sided"),
        ([told("A-2", "haengt an")], [THEIRS], "wording_unknown"),
        ([told("B-9", "blocks")], [], "issue_not_seen"),
    ],
)
def test_what_is_not_clear_stays_out(
    one: list[LinkChange], two: list[LinkChange], why: str
) -> None:
    links, unread = found(one, two)
    assert links == []
    assert unread[why] >= 1


def test_a_wording_of_two_types_names_none() -> None:
    links, unread = found([told("A-2", "is blocked by")], [told("A-1", "blocks")], BLOCKS, ALSO)
    assert links == []
    assert unread["type_ambiguous"] == 1


@pytest.mark.parametrize("minutes", [-1, 60, 600])
def test_the_window_is_half_open(minutes: float) -> None:
    one, two = told("A-2", "blocks", minutes=minutes), told("A-1", "is blocked by", minutes=minutes)
    assert found([one], [two]) == ([], {})


@pytest.mark.parametrize("added", [False, True])
def test_the_last_word_counts(added: bool) -> None:
    """Made anew since, or made anew and removed by a person: nobody is overruled."""
    later = [
        told(target, wording, minutes=30, author=ANN, added=added)
        for target, wording in (("A-2", "blocks"), ("A-1", "is blocked by"))
    ]
    links, unread = found([OURS, later[0]], [THEIRS, later[1]])
    assert links == []
    assert unread == {"changed_since": 1}
