"""What stands in the way of a link, what an attempt came to, and how hubs are spared."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.evidence import IssueView, Reading
from app.core.links import (
    Ends,
    IssueId,
    IssueKey,
    IssueRef,
    Link,
    LinkId,
    LinkType,
    ProjectKey,
    TypeId,
)
from app.core.operations import Ended, Status
from app.core.restore import Again, Obstacle, Ready, Sought, Unread, crowded, judge, verdict

BLOCKS = LinkType(TypeId("1"), "Blocks", "is blocked by", "blocks")
RELATES = LinkType(TypeId("2"), "Relates", "relates to", "relates to")
AT = datetime(2026, 1, 1, tzinfo=UTC)
ONE, TWO = IssueId("1"), IssueId("2")
ENDS = Ends(ONE, TWO)


def link(kind: LinkType, source: IssueId, destination: IssueId, number: int = 9) -> Link:
    refs = (IssueRef(it, IssueKey(f"A-{it}")) for it in (source, destination))
    return Link(LinkId(str(number)), kind.id, *refs)


def view(issue: IssueId, *links: Link, archived: bool = False, blind: bool = False) -> IssueView:
    ref = IssueRef(issue, IssueKey(f"A-{issue}"))
    return IssueView(ref, ProjectKey("A"), None if blind else links, archived=archived)


def reading(*views: IssueView, **unread: str) -> Reading:
    return Reading(
        AT, {it.ref.id: it for it in views}, {k.strip("_"): v for k, v in unread.items()}
    )


MANY = tuple(link(RELATES, ONE, IssueId(str(n)), n) for n in range(100, 2100))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (reading(view(ONE), view(TWO)), Ready),
        (reading(view(ONE), _2="not_returned"), Obstacle("issue_not_seen")),
        (reading(view(TWO), _1="not_returned"), Obstacle("issue_gone")),
        (reading(view(ONE), _2="error"), Unread("error")),
        (reading(view(ONE)), Unread("not_read")),
        (reading(view(ONE), view(TWO, archived=True)), Obstacle("archived")),
        (reading(view(ONE, link(BLOCKS, ONE, TWO)), view(TWO)), Obstacle("already_there")),
        (reading(view(ONE), view(TWO, link(BLOCKS, TWO, ONE))), Ready),
        (reading(view(ONE, link(RELATES, ONE, TWO)), view(TWO)), Ready),
        (reading(view(ONE), view(TWO, blind=True)), Unread("links_missing")),
        (reading(view(ONE, *MANY), view(TWO)), Obstacle("link_limit")),
        (reading(view(ONE, *MANY[1:]), view(TWO)), Ready),
    ],
)
def test_what_stands_in_the_way(seen: Reading, expected: object) -> None:
    found = judge(Sought(BLOCKS.id, ENDS), seen, [BLOCKS, RELATES], deleted={ONE})
    assert isinstance(found, Ready) if expected is Ready else found == expected


def test_an_equal_link_of_a_symmetric_type_may_stand_the_other_way_round() -> None:
    seen = reading(view(ONE, link(RELATES, TWO, ONE)), view(TWO))
    assert judge(Sought(RELATES.id, ENDS), seen, [RELATES]) == Obstacle("already_there")


def test_a_type_that_is_gone_and_a_site_without_a_limit() -> None:
    seen = reading(view(ONE, *MANY), view(TWO))
    assert judge(Sought(BLOCKS.id, ENDS), seen, [RELATES]) == Obstacle("type_gone")
    assert isinstance(judge(Sought(BLOCKS.id, ENDS), seen, [BLOCKS], limit=None), Ready)


@pytest.mark.parametrize(
    ("state", "code", "final", "expected"),
    [
        (Status.APPLIED, "read_back_ours", True, "applied:read_back_ours"),
        (Status.APPLIED, "confirmed_gone", True, "applied:confirmed_gone"),
        (Status.NOOP, "made_by_another", True, "skipped:made_by_another"),
        (Status.NOOP, "confirmed_made_by_another", True, "skipped:made_by_another"),
        (Status.NOOP, "not_found", True, "skipped:not_found"),
        (Status.FAILED, "link_limit", True, "skipped:link_limit"),
        (Status.FAILED, "not_found_or_not_permitted", True, "failed:not_found_or_not_permitted"),
        (Status.FAILED, "read_only", True, Again("read_only", counted=False)),
        (Status.FAILED, "rate_limited", False, Again("rate_limited", counted=False)),
        (Status.FAILED, "unauthorized", True, Again("unauthorized", counted=True)),
        (Status.FAILED, "conflict", False, Again("conflict", counted=True)),
        (Status.FAILED, "confirmed_not_made", True, Again("confirmed_not_made", counted=True)),
    ],
)
def test_what_an_attempt_came_to(
    state: Ended, code: str, final: bool, expected: str | Again
) -> None:
    assert verdict(state, code, final=final, tries=0) == expected


def test_what_is_counted_is_given_up() -> None:
    for code in ("conflict", "unauthorized", "confirmed_not_made"):
        assert verdict(Status.FAILED, code, final=False, tries=99) == f"failed:{code}"
    assert isinstance(verdict(Status.FAILED, "unreachable", final=False, tries=99), Again)


WINDOWS = ((3.0, 2), (30.0, 4))


def test_a_hub_takes_turns() -> None:
    hub = [Ends(ONE, IssueId(str(n))) for n in range(10, 14)]
    assert crowded(hub, {}, WINDOWS) == [0, 0, 3, 3]
    assert crowded(hub[:1], {ONE: [1.0, 2.0]}, WINDOWS) == [1.0]
    assert crowded(hub[:1], {ONE: [4.0, 10.0, 20.0, 25.0]}, WINDOWS) == [5.0]
    assert crowded([Ends(TWO, IssueId("9"))], {ONE: [0.0] * 9}, WINDOWS) == [0]


ISSUES = st.integers(1, 4).map(lambda n: IssueId(str(n)))


@given(
    st.lists(st.tuples(ISSUES, ISSUES).filter(lambda it: it[0] != it[1]), max_size=12),
    st.dictionaries(ISSUES, st.lists(st.floats(0, 40), max_size=6), max_size=4),
)
def test_no_window_is_ever_overfull(
    pairs: list[tuple[IssueId, IssueId]], ages: dict[IssueId, list[float]]
) -> None:
    ends = [Ends(*pair) for pair in pairs]
    waits = crowded(ends, ages, WINDOWS)
    for issue in {it for pair in pairs for it in pair}:
        going = sum(wait == 0 and it.touches(issue) for it, wait in zip(ends, waits, strict=True))
        for seconds, most in WINDOWS:
            recent = sum(age < seconds for age in ages.get(issue, []))
            assert going == 0 or going + recent <= most
