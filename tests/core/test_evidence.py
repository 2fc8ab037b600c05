"""Proof of absence: each reason of `presence`'s table, and what makes the difference."""

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.evidence import (
    Absent,
    IssueView,
    Lookup,
    Present,
    Reading,
    SideFacts,
    Unknown,
    Unlisted,
    glance,
    presence,
)
from app.core.links import Ends, IssueId, IssueKey, IssueRef, Link, LinkId, ProjectKey
from tests.core.cases import AT, BLOCKS, RELATES

A, B, C = (IssueRef(IssueId(str(10 + n)), IssueKey(f"A-{n}")) for n in (1, 2, 3))
LINK = Link(LinkId("500"), BLOCKS.id, A, B)
KNOWN = LinkId("500")


def view(ref: IssueRef, *links: Link, missing: bool = False, archived: bool = False) -> IssueView:
    return IssueView(ref, ProjectKey("A"), None if missing else links, archived)


def reading(*views: IssueView, unread: dict[str, str] | None = None) -> Reading:
    return Reading(
        AT,
        MappingProxyType({it.ref.id: it for it in views}),
        MappingProxyType(unread or {}),
    )


WHOLE = reading(view(A), view(B))
PROVEN = SideFacts(BLOCKS, Ends(A.id, B.id), (A.key, B.key), WHOLE, assured=True)
PROVEN_KNOWN = replace(PROVEN, known=KNOWN, lookup=Lookup.GONE)


def reason(facts: SideFacts) -> str:
    found = presence(facts)
    assert isinstance(found, Unknown), found
    return found.reason


def test_proven_absent() -> None:
    found = presence(PROVEN_KNOWN)
    assert isinstance(found, Absent)
    assert found.evidence == {
        "read_at": AT.isoformat(),
        "ends": "complete",
        "link_id": "500",
        "lookup": "404",
    }
    assert isinstance(presence(PROVEN), Absent), "without a known id there is nothing to look up"


@pytest.mark.parametrize("why", ["not_returned", "error", "truncated", "malformed"])
@pytest.mark.parametrize("end", [A, B])
def test_an_end_outside_the_complete_answer(why: str, end: IssueRef) -> None:
    other = B if end is A else A
    facts = replace(PROVEN_KNOWN, reading=reading(view(other), unread={end.id: why}))
    assert reason(facts) == f"issue_{why}"
    assert glance(facts) == Unknown(f"issue_{why}")


def test_an_end_that_nobody_read() -> None:
    assert reason(replace(PROVEN_KNOWN, reading=reading(view(A)))) == "issue_not_read"


@pytest.mark.parametrize("at", [0, 1])
def test_an_end_under_another_key(at: int) -> None:
    keys = [A.key, B.key]
    keys[at] = IssueKey("Z-9")
    assert reason(replace(PROVEN_KNOWN, twin_keys=(keys[0], keys[1]))) == "key_changed"


@pytest.mark.parametrize("end", [A, B])
def test_an_end_without_its_array_of_links(end: IssueRef) -> None:
    views = [view(ref, missing=ref is end) for ref in (A, B)]
    assert reason(replace(PROVEN_KNOWN, reading=reading(*views))) == "links_missing"


@pytest.mark.parametrize("end", [A, B])
def test_an_archived_end(end: IssueRef) -> None:
    views = [view(ref, archived=ref is end) for ref in (A, B)]
    assert reason(replace(PROVEN_KNOWN, reading=reading(*views))) == "archived"


def test_not_assured() -> None:
    assert reason(replace(PROVEN, assured=False)) == "not_assured"
    assert reason(replace(PROVEN_KNOWN, assured=False)) == "not_assured"


@pytest.mark.parametrize(
    ("lookup", "expected"),
    [
        (Lookup.SAME, "listing_lags"),
        (Lookup.CHANGED, "link_changed"),
        (Lookup.ERROR, "lookup_failed"),
        (None, "lookup_failed"),
    ],
)
def test_the_known_id_answers_otherwise(lookup: Lookup | None, expected: str) -> None:
    assert reason(replace(PROVEN_KNOWN, lookup=lookup)) == expected
    beside = reading(view(A, replace(LINK, id=LinkId("501"))), view(B))
    assert reason(replace(PROVEN_KNOWN, reading=beside, lookup=lookup)) == expected


@pytest.mark.parametrize("lookup", [Lookup.GONE, Lookup.REUSED])
def test_the_known_id_is_gone_or_another_links(lookup: Lookup) -> None:
    """Ends never change: who has the id now cannot be the link that had it."""
    assert isinstance(presence(replace(PROVEN_KNOWN, lookup=lookup)), Absent)
    beside = reading(view(A, replace(LINK, id=LinkId("501"))), view(B))
    seen = presence(replace(PROVEN_KNOWN, reading=beside, lookup=lookup))
    assert seen == Present(frozenset({LinkId("501")}), known_gone=True)


def test_present_where_either_end_lists_it() -> None:
    for shown in (reading(view(A, LINK), view(B)), reading(view(A), view(B, LINK))):
        assert presence(replace(PROVEN, reading=shown)) == Present(frozenset({KNOWN}))
    half = reading(view(A, LINK), unread={B.id: "error"})
    assert presence(replace(PROVEN, reading=half)) == Present(frozenset({KNOWN}))


def test_present_needs_no_assurance_and_no_keys() -> None:
    shown = replace(PROVEN, reading=reading(view(A, LINK)), assured=False)
    assert presence(replace(shown, twin_keys=(IssueKey("Z-1"), B.key))) == Present(
        frozenset({KNOWN})
    )


def test_another_in_place_of_the_known_one() -> None:
    other = replace(LINK, id=LinkId("501"))
    facts = replace(PROVEN_KNOWN, reading=reading(view(A, other), view(B, other)))
    assert presence(facts) == Present(frozenset({LinkId("501")}), known_gone=True)
    assert glance(replace(facts, lookup=None)) == Present(frozenset({LinkId("501")}))


def test_the_other_direction_is_another_link_unless_symmetric() -> None:
    back = Link(KNOWN, BLOCKS.id, B, A)
    facts = replace(PROVEN, reading=reading(view(A, back), view(B, back)))
    assert glance(facts) == Unlisted()
    both = tuple(
        Link(LinkId(number), RELATES.id, *ends)
        for number, ends in (("501", (A, B)), ("502", (B, A)))
    )
    facts = replace(facts, link_type=RELATES, reading=reading(view(A, *both), view(B)))
    assert glance(facts) == Present(frozenset({LinkId("501"), LinkId("502")}))


def test_other_types_and_other_ends_do_not_count() -> None:
    others = (
        replace(LINK, type_id=RELATES.id),
        Link(LinkId("9"), BLOCKS.id, A, C),
        Link(LinkId("10"), BLOCKS.id, C, B),
    )
    assert glance(replace(PROVEN, reading=reading(view(A, *others), view(B)))) == Unlisted()


def test_merged_readings_keep_the_earlier_time_and_the_later_views() -> None:
    later = Reading(AT + timedelta(seconds=9), MappingProxyType({A.id: view(A, LINK)}))
    merged = WHOLE.merged(later)
    assert merged.at == AT
    assert merged.issues[A.id].links == (LINK,)
    assert merged.issues[B.id] == view(B)


@given(
    st.sampled_from([*Lookup, None]),
    st.booleans(),
    st.sampled_from([KNOWN, None]),
    st.lists(st.sampled_from(["fine", "unread", "unasked", "missing", "archived", "moved"]),
             min_size=2, max_size=2),
)  # fmt: skip
def test_one_missing_piece_is_enough_for_unknown(
    lookup: Lookup | None, assured: bool, known: LinkId | None, ends: list[str]
) -> None:
    """`Absent` exactly where every part of the proof is there."""
    views: list[IssueView] = []
    unread: dict[str, str] = {}
    keys: list[IssueKey] = []
    for ref, how in zip((A, B), ends, strict=True):
        keys.append(IssueKey("Z-9") if how == "moved" else ref.key)
        if how == "unread":
            unread[ref.id] = "error"
        elif how != "unasked":
            views.append(view(ref, missing=how == "missing", archived=how == "archived"))
    facts = SideFacts(
        BLOCKS, Ends(A.id, B.id), (keys[0], keys[1]), reading(*views, unread=unread),
        known, lookup, assured,
    )  # fmt: skip
    gone = known is None or lookup in (Lookup.GONE, Lookup.REUSED)
    whole = ends == ["fine", "fine"] and assured and gone
    assert isinstance(presence(facts), Absent) == whole
