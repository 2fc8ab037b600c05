"""Who made a link: the table of `app.core.authorship`, row by row."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from app.core.authorship import NO_DATE, SKEW, authorship, authorship_now, wording_of
from app.core.evidence import IssueView, LinkChange
from app.core.links import (
    AccountId,
    IssueId,
    IssueKey,
    IssueRef,
    Link,
    LinkId,
    LinkType,
    ProjectKey,
    TypeId,
)
from app.core.own_accounts import SLACK, OwnAccounts, Tenure

BLOCKS = LinkType(TypeId("1"), "Blocks", "is blocked by", "blocks")
RELATES = LinkType(TypeId("2"), "Relates", "relates to", "relates to")
TYPES = [BLOCKS, RELATES]
A = IssueRef(IssueId("11"), IssueKey("AB-1"))
B = IssueRef(IssueId("12"), IssueKey("AB-2"))
LINK = Link(LinkId("501"), BLOCKS.id, A, B)
US, THEM = AccountId("us"), AccountId("them")
OURS = OwnAccounts.only(US)
SINCE = datetime(2025, 8, 29, 16, 0, tzinfo=UTC)


def change(
    text: str,
    author: AccountId | None = US,
    *,
    seconds: float = 1,
    added: bool = True,
    target: str = "AB-2",
) -> LinkChange:
    at = SINCE + timedelta(seconds=seconds)
    return LinkChange(at, author, added, IssueKey(target), text, "9")


def who(
    source: Sequence[LinkChange] | None = (),
    destination: Sequence[LinkChange] | None = (),
    *,
    link: Link = LINK,
    types: Sequence[LinkType] = TYPES,
    since: datetime = SINCE,
) -> str:
    views = {
        ref.id: IssueView(ref, ProjectKey("AB"), (), changes=None if made is None else tuple(made))
        for ref, made in ((link.source, source), (link.destination, destination))
    }
    return authorship(views, link, types, US, since)


OUT = "This issue blocks AB-2"
IN = "This issue is blocked by AB-1"


def at_destination(author: AccountId | None = US, text: str = IN) -> LinkChange:
    return change(text, author, target="AB-1")


def test_both_ends_agree() -> None:
    assert who([change(OUT)], [at_destination()]) == "ours"
    assert who([change(OUT, THEM)], [at_destination(THEM)]) == "theirs"


def test_one_end_is_enough() -> None:
    assert who([change(OUT)], None) == "ours"
    assert who([], [at_destination(THEM)]) == "theirs"


def test_ends_that_disagree() -> None:
    assert who([change(OUT)], [at_destination(THEM)]) == "unknown"


def test_no_entry_at_all() -> None:
    assert who() == "unknown"
    assert who(None, None) == "unknown"
    assert authorship({}, LINK, TYPES, US, SINCE) == "unknown"


def test_only_entries_since_the_pre_read_count() -> None:
    assert who([change(OUT, seconds=-0.001)]) == "unknown"
    assert who([change(OUT, seconds=0)]) == "ours"


def test_without_a_date_nothing_counts() -> None:
    assert who([change(OUT)], since=NO_DATE) == "unknown"


def test_another_target_does_not_count() -> None:
    assert who([change("This issue blocks AB-3", target="AB-3")]) == "unknown"


def test_another_type_or_direction_does_not_count() -> None:
    relates = change("This issue relates to AB-2", THEM)
    reversed_one = change("This issue is blocked by AB-2", THEM)
    assert who([relates, reversed_one, change(OUT)]) == "ours"
    assert who([relates]) == "unknown"


def test_an_entry_that_cannot_be_read_spoils_its_end() -> None:
    assert who([change("Diese Aufgabe blockiert AB-2", THEM), change(OUT)]) == "unknown"
    assert who([change("", THEM)], [at_destination()]) == "unknown"


def test_two_types_with_the_same_wording() -> None:
    gantt = LinkType(TypeId("3"), "Gantt", "follows", "Blocks")
    assert who([change(OUT)], types=[*TYPES, gantt]) == "unknown"
    assert who([], [at_destination()], types=[*TYPES, gantt]) == "ours"


def test_a_type_that_the_site_does_not_have() -> None:
    assert who([change(OUT)], types=[RELATES]) == "unknown"


def test_a_later_removal() -> None:
    gone = change(OUT, added=False, seconds=2)
    assert who([change(OUT), gone]) == "unknown"
    assert who([change(OUT, THEM), gone, change(OUT, seconds=3)]) == "ours"
    assert who([change(OUT), change(OUT, added=False)]) == "unknown"  # the same instant


def test_additions_of_several_authors() -> None:
    assert who([change(OUT, THEM), change(OUT)]) == "unknown"
    assert who([change(OUT, THEM), change(OUT, seconds=2)]) == "unknown"
    assert who([change(OUT), change(OUT, seconds=2)]) == "ours"


def test_nobody_named() -> None:
    assert who([change(OUT, None)]) == "unknown"


def test_a_symmetric_type_reads_the_same_on_both_ends() -> None:
    link = Link(LinkId("502"), RELATES.id, A, B)
    ours = change("This issue relates to AB-2")
    assert who([ours], [at_destination(text="This issue relates to AB-1")], link=link) == "ours"


@pytest.mark.parametrize(
    ("text", "wording"),
    [
        ("This issue blocks AB-2", "blocks"),
        ("This issue is blocked by AB-2", "is blocked by"),
        ("Diese Aufgabe BLOCKS AB-2", "blocks"),
        ("この課題はblocks AB-2", "blocks"),
        ("AB-2 blocks", "blocks"),
        ("This issue unblocks AB-2", None),
        ("This issue blocks2 AB-2", None),
        ("This issue devices linked to AB-2", None),
        ("AB-2", None),
    ],
)
def test_wordings(text: str, wording: str | None) -> None:
    assert wording_of(text, IssueKey("AB-2"), TYPES) == wording


def test_captured_wordings() -> None:
    included = LinkType(TypeId("5"), "Включение", "Включена в", "Включает")
    devices = LinkType(TypeId("6"), "Devices", "devices linked to", "links devices")
    types = [*TYPES, included, devices]
    text = "This issue Включена в DATAMAP-102"
    assert wording_of(text, IssueKey("DATAMAP-102"), types) == "включена в"
    text = "This issue devices linked to EIM-15015"
    assert wording_of(text, IssueKey("EIM-15015"), types) == "devices linked to"


def test_the_key_itself_may_spell_a_wording() -> None:
    odd = LinkType(TypeId("7"), "Odd", "ab-2", "is ab-2 of")
    assert wording_of("This issue blocks AB-2", IssueKey("AB-2"), [BLOCKS, odd]) == "blocks"


def test_two_wordings_of_one_length_are_not_clear() -> None:
    pair = LinkType(TypeId("8"), "Pair", "copied", "blocks")
    assert wording_of("blocks copied AB-2", IssueKey("AB-2"), [pair]) is None


def view(changes: Sequence[LinkChange], *links: Link) -> IssueView:
    return IssueView(A, ProjectKey("AB"), links, changes=tuple(changes))


def now(
    changes: Sequence[LinkChange],
    *links: Link,
    link: Link = LINK,
    ours: OwnAccounts = OURS,
    types: Sequence[LinkType] = TYPES,
    keys: dict[IssueKey, IssueId] | None = None,
) -> str:
    return authorship_now({A.id: view(changes, *links)}, link, types, ours, SINCE, keys)


def test_clocks_of_nodes_differ() -> None:
    """The node that wrote the entry is behind the one that answered the pre-read."""
    assert now([change(OUT, seconds=-1.5)]) == "ours"
    assert now([change(OUT, THEM, seconds=-1.5)]) == "theirs"


def test_what_is_much_older_than_the_pre_read_says_nothing_beside_what_is_not() -> None:
    old = change(OUT, THEM, seconds=-SKEW.total_seconds() - 1)
    assert now([old, change(OUT)]) == "ours"
    assert now([old]) == "theirs", "where nothing came after it, it speaks"


def test_what_a_backup_brought_back_is_judged_by_who_made_it_now() -> None:
    """Our entry went with what the restore took back; a person made the link by hand."""
    assert now([change(OUT, THEM, seconds=7200)]) == "theirs"


REVERSED = Link(LinkId("502"), RELATES.id, B, A)
RELATED = Link(LinkId("501"), RELATES.id, A, B)
BOTH = "This issue relates to AB-2"


@pytest.mark.parametrize(
    ("authors", "listed", "verdict"),
    [
        ((US, THEM), (RELATED, REVERSED), "ours"),
        ((THEM, US), (RELATED, REVERSED), "unknown"),
        ((US, THEM), (RELATED,), "unknown"),
        ((US, None), (RELATED, REVERSED), "ours"),
        ((None, US), (RELATED, REVERSED), "unknown"),
        ((US, US), (RELATED,), "ours"),
        ((THEM, AccountId("bob")), (RELATED, REVERSED), "theirs"),
        ((THEM, None), (RELATED, REVERSED), "unknown"),
    ],
)
def test_where_several_equal_links_stand_the_id_decides(
    authors: tuple[AccountId | None, ...], listed: tuple[Link, ...], verdict: str
) -> None:
    changes = [change(BOTH, author, seconds=at) for at, author in enumerate(authors, 1)]
    assert now(changes, *listed, link=RELATED) == verdict


def test_which_of_several_was_taken_away_nobody_can_say() -> None:
    gone = change(BOTH, THEM, added=False, seconds=3)
    both = [change(BOTH), change(BOTH, THEM, seconds=2), gone]
    assert now(both, RELATED, link=RELATED) == "unknown"
    ours = [change(BOTH), change(BOTH, seconds=2), gone]
    assert now(ours, RELATED, link=RELATED) == "ours"


def test_a_former_account_is_ours_for_its_time() -> None:
    late = (SLACK + SKEW).total_seconds()
    ended = SINCE
    ours = OwnAccounts((Tenure(THEM, None, ended), Tenure(US, ended)))
    assert now([change(OUT, THEM)], ours=ours) == "ours"
    assert now([change(OUT, THEM, seconds=late)], ours=ours) == "theirs"
    before = OwnAccounts((Tenure(US, SINCE + 2 * SLACK),))
    assert now([change(OUT)], ours=before) == "theirs", "it was a person's then"


def test_an_old_key_leads_to_the_issue() -> None:
    """A project's key was renamed: what was written before keeps the old one for ever."""
    old = change("This issue blocks OLD-2", target="OLD-2")
    assert now([old]) == "unknown"
    assert now([old], keys={IssueKey("OLD-2"): B.id}) == "ours"
    assert now([change(OUT)], keys={IssueKey("AB-2"): IssueId("99")}) == "unknown"


@pytest.mark.parametrize("frame", ["This issue", "This work item"])
def test_a_frame_is_no_wording(frame: str) -> None:
    item = LinkType(TypeId("8"), "Item", "is item of", "work item")
    types = [*TYPES, item]
    assert wording_of(f"{frame} blocks AB-2", IssueKey("AB-2"), types) == "blocks"
    assert wording_of(f"{frame} work item AB-2", IssueKey("AB-2"), types) == "work item"


def test_a_type_that_was_renamed_keeps_what_it_was_called() -> None:
    stops = LinkType(BLOCKS.id, "Stops", "is stopped by", "stops", (("is blocked by", "blocks"),))
    assert now([change(OUT)], types=[stops, RELATES]) == "ours"
    assert now([change("This issue stops AB-2")], types=[stops, RELATES]) == "ours"
    taken = LinkType(TypeId("9"), "Blocks", "is blocked by", "blocks")
    assert now([change(OUT)], types=[stops, taken]) == "unknown", "another type has it now"
