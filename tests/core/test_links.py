"""Equal links and the keys under which they exclude each other."""

from hypothesis import given
from hypothesis import strategies as st

from app.core.links import (
    Ends,
    IssueId,
    IssueKey,
    IssueRef,
    Link,
    LinkId,
    LinkType,
    Side,
    TypeId,
    equal_links,
    physical_key,
)
from tests.core.cases import BLOCKS, RELATES

ISSUES = st.integers(1, 10**19).map(lambda number: IssueId(str(number)))
ENDS = st.builds(Ends, ISSUES, ISSUES)


def link(number: int, kind: LinkType, source: str, destination: str) -> Link:
    return Link(
        LinkId(str(number)),
        kind.id,
        IssueRef(IssueId(source), IssueKey(f"A-{source}")),
        IssueRef(IssueId(destination), IssueKey(f"A-{destination}")),
    )


def test_symmetric_means_that_both_ends_read_the_same() -> None:
    assert RELATES.symmetric, "whatever the case of its letters"
    assert not BLOCKS.symmetric


def test_canonical_orders_by_number_not_by_text() -> None:
    assert Ends(IssueId("10"), IssueId("9")).canonical(symmetric=True) == Ends(
        IssueId("9"), IssueId("10")
    )


@given(ENDS)
def test_canonical(ends: Ends) -> None:
    assert ends.canonical(symmetric=False) == ends
    once = ends.canonical(symmetric=True)
    assert int(once.source) <= int(once.destination)
    assert once.canonical(symmetric=True) == once
    assert ends.flipped().canonical(symmetric=True) == once
    assert ends.flipped().flipped() == ends


@given(ENDS, st.sampled_from([BLOCKS, RELATES]))
def test_physical_keys_agree_exactly_where_links_are_equal(ends: Ends, kind: LinkType) -> None:
    one, other = physical_key(3, kind, ends), physical_key(3, kind, ends.flipped())
    made = link(1, kind, ends.source, ends.destination)
    equal = made.equals(kind.id, ends.flipped(), symmetric=kind.symmetric)
    assert (one == other) == equal
    assert physical_key(4, kind, ends) != one


def test_equal_links() -> None:
    there = [
        link(1, BLOCKS, "1", "2"),
        link(2, BLOCKS, "2", "1"),
        link(3, RELATES, "1", "2"),
        link(4, RELATES, "2", "1"),
        link(5, BLOCKS, "1", "3"),
    ]
    ends = Ends(IssueId("1"), IssueId("2"))
    assert [it.id for it in equal_links(there, BLOCKS, ends)] == ["1"]
    assert [it.id for it in equal_links(there, RELATES, ends)] == ["3", "4"]
    other = LinkType(TypeId("99"), "Other", "a", "b")
    assert equal_links(there, other, ends) == []


def test_touches_and_sides() -> None:
    ends = Ends(IssueId("1"), IssueId("2"))
    assert ends.touches(IssueId("1"))
    assert ends.touches(IssueId("2"))
    assert not ends.touches(IssueId("12"))
    assert Side.LEFT.other is Side.RIGHT
    assert Side.RIGHT.other is Side.LEFT
