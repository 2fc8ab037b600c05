"""The monitor's table row by row, and what may hide which link an entry is about."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from app.core.evidence import LinkChange
from app.core.links import AccountId, IssueId, IssueKey, IssueRef, LinkType, TypeId
from app.core.monitor import LATE, SLACK, Judged, Record, Verdict, Written, judge
from app.core.monitor_history import History
from app.core.own_accounts import OwnAccounts, Tenure
from tests.core.cases import AT, BLOCKS, RELATES

OURS, ANN = AccountId("us"), AccountId("ann")
P1, P2 = IssueRef(IssueId("11"), IssueKey("P-1")), IssueRef(IssueId("12"), IssueKey("P-2"))
TYPES = (BLOCKS, RELATES)


def entry(
    minute: float,
    author: AccountId | None = OURS,
    *,
    added: bool = False,
    text: str = "This issue blocks P-2",
    target: str = "P-2",
) -> LinkChange:
    at = AT + timedelta(minutes=minute)
    return LinkChange(at, author, added, IssueKey(target), text, str(int(minute * 60)))


def made(minute: float, author: AccountId | None = OURS, **more: str) -> LinkChange:
    return entry(minute, author, added=True, **more)


def written(
    minute: float = 10,
    *,
    id: int = 1,
    type_id: TypeId = BLOCKS.id,
    source: IssueRef = P1,
    destination: IssueRef = P2,
    until: float | None = 10.1,
    acted: bool = True,
    record: Record = Record.NOTHING,
    late: bool = False,
    created: float | None = None,
) -> Written:
    end = None if until is None else AT + timedelta(minutes=until)
    begun = AT + timedelta(minutes=minute)
    made_at = None if created is None else AT + timedelta(minutes=created)
    window = None if made_at is None else (made_at, made_at)
    return Written(
        id, type_id, source, destination, begun, end, acted, record, late, 100 + id, window
    )


def judged(
    changes: Iterable[LinkChange],
    *audit: Written,
    whole: bool = True,
    since: float = 0,
    types: tuple[LinkType, ...] = TYPES,
    ids: dict[IssueKey, IssueId] | None = None,
    accounts: OwnAccounts = OwnAccounts.only(OURS),  # noqa: B008 - a frozen value
) -> list[Judged]:
    known = {IssueKey("P-2"): P2.id} if ids is None else ids
    history = History(P1.id, tuple(changes), whole, known)
    return judge(history, audit, types, accounts, AT + timedelta(minutes=since))


def verdicts(changes: Iterable[LinkChange], *audit: Written, **more: Any) -> list[Verdict]:
    return [it.verdict for it in judged(changes, *audit, **more)]


GONE = entry(10)


@pytest.mark.parametrize(
    ("before", "audit", "whole", "verdict"),
    [
        ([made(1)], [], True, Verdict.UNAUDITED),
        ([made(1)], [written(acted=False)], True, Verdict.DENIED),
        ([made(1)], [written(record=Record.RELEASED)], True, Verdict.UNMANAGED),
        ([made(1, ANN)], [written(record=Record.ADOPTED)], True, Verdict.ACCOUNTED),
        ([], [written(record=Record.ADOPTED)], False, Verdict.ACCOUNTED),
        ([made(1)], [written()], True, Verdict.ACCOUNTED),
        ([made(1)], [written(until=None)], True, Verdict.ACCOUNTED),
        ([made(1)], [written()], False, Verdict.ACCOUNTED),
        ([made(1, ANN)], [written()], True, Verdict.UNMANAGED),
        ([made(1, ANN)], [written()], False, Verdict.UNMANAGED),
        ([], [written()], True, Verdict.UNMANAGED),
        ([], [written()], False, Verdict.CUT),
        ([made(1, None)], [written()], True, Verdict.UNCLEAR),
    ],
)
def test_the_table(
    before: list[LinkChange], audit: list[Written], whole: bool, verdict: Verdict
) -> None:
    assert verdicts([*before, GONE], *audit, whole=whole) == [verdict]


GIVEN_UP = written(1.5, until=2.5, acted=False, late=True)


@pytest.mark.parametrize(
    ("before", "verdict"),
    [
        ([made(1)], Verdict.LATE),
        ([made(1, ANN)], Verdict.UNMANAGED),
        ([], Verdict.UNMANAGED),
        ([made(1, None)], Verdict.UNCLEAR),
    ],
)
def test_what_was_given_up_may_act_late_on_our_own_links(
    before: list[LinkChange], verdict: Verdict
) -> None:
    [it] = judged([*before, GONE], GIVEN_UP)
    assert (it.verdict, it.intent) == (verdict, 101)


def test_late_has_an_end() -> None:
    end = 2.5 + SLACK.seconds / 60 + LATE.seconds / 60
    assert verdicts([made(1), entry(end)], GIVEN_UP) == [Verdict.LATE]
    assert verdicts([made(1), entry(end + 0.1)], GIVEN_UP) == [Verdict.UNAUDITED]


def test_what_acted_in_time_accounts_for_it_first() -> None:
    """Given up, tried again, removed by the second try; then one entry is left over."""
    second = written(9.9, id=2)
    assert verdicts([made(1), GONE], GIVEN_UP, second) == [Verdict.ACCOUNTED]
    never_sent = written(9.9, id=2, acted=False)
    assert verdicts([made(1), GONE], never_sent, GIVEN_UP) == [Verdict.LATE]


def test_which_verdicts_are_alarms() -> None:
    quiet = {Verdict.ACCOUNTED, Verdict.LATE, Verdict.CUT, Verdict.UNCLEAR}
    assert {it for it in Verdict if not it.alarming} == quiet


def test_what_others_removed_is_not_our_business() -> None:
    assert verdicts([made(1), entry(10, ANN), made(11), entry(12, None)]) == []


def test_one_audit_entry_accounts_for_one_removal() -> None:
    """A second removal of a link that somebody made anew in the same minute has none."""
    changes = [made(1), GONE, made(10.2), entry(10.5)]
    assert verdicts(changes, written()) == [Verdict.ACCOUNTED, Verdict.UNAUDITED]
    both = [written(), written(10.4, id=2, until=10.6)]
    assert verdicts(changes, *both) == [Verdict.ACCOUNTED, Verdict.ACCOUNTED]


def test_a_removal_from_before_uses_its_entry_up() -> None:
    changes = [made(1), GONE, made(10.2), entry(10.5)]
    assert verdicts(changes, written(), since=10.4) == [Verdict.UNAUDITED]


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        ({}, Verdict.ACCOUNTED),
        ({"type_id": RELATES.id}, Verdict.UNAUDITED),
        ({"source": P2, "destination": P1}, Verdict.UNAUDITED),
        ({"destination": IssueRef(IssueId("13"), IssueKey("P-2"))}, Verdict.UNAUDITED),
        ({"source": IssueRef(IssueId("13"), IssueKey("P-1"))}, Verdict.UNAUDITED),
        # Two minutes before and after are allowed for, no more.
        ({"minute": 12.1, "until": 12.2}, Verdict.UNAUDITED),
        ({"minute": 11.9, "until": 12.2}, Verdict.ACCOUNTED),
        ({"minute": 5, "until": 7.9}, Verdict.UNAUDITED),
        ({"minute": 5, "until": 8.1}, Verdict.ACCOUNTED),
        ({"minute": 6.9, "until": None}, Verdict.UNAUDITED),
        ({"minute": 7.1, "until": None}, Verdict.ACCOUNTED),
    ],
)
def test_an_audit_entry_is_of_one_link_and_time(other: dict[str, object], verdict: Verdict) -> None:
    audit = written(**other)  # type: ignore[arg-type]
    assert verdicts([made(1), GONE], audit) == [verdict]


def test_a_link_without_direction_is_found_either_way_round() -> None:
    text = "This issue relates to P-2"
    changes = [made(1, text=text), entry(10, text=text)]
    turned = written(type_id=RELATES.id, source=P2, destination=P1)
    assert verdicts(changes, turned) == [Verdict.ACCOUNTED]


def test_from_the_destination_the_other_wording_counts() -> None:
    text = "This issue is blocked by P-2"
    changes = [made(1, text=text), entry(10, text=text)]
    assert verdicts(changes, written(source=P2, destination=P1)) == [Verdict.ACCOUNTED]
    assert verdicts(changes, written()) == [Verdict.UNAUDITED]


def test_the_latest_creator_counts() -> None:
    theirs_last = [made(1), entry(2, ANN), made(3, ANN), GONE]
    ours_last = [made(1, ANN), entry(2, ANN), made(3), GONE]
    assert verdicts(theirs_last, written()) == [Verdict.UNMANAGED]
    assert verdicts(ours_last, written()) == [Verdict.ACCOUNTED]


def test_another_link_of_the_same_issues_says_nothing() -> None:
    relates = made(5, ANN, text="This issue relates to P-2")
    assert verdicts([made(1), relates, GONE], written()) == [Verdict.ACCOUNTED]
    elsewhere = made(5, ANN, text="This issue blocks P-3", target="P-3")
    assert verdicts([made(1), elsewhere, GONE], written()) == [Verdict.ACCOUNTED]


def test_what_was_made_after_the_removal_says_nothing() -> None:
    assert verdicts([made(1), GONE, made(11, ANN)], written()) == [Verdict.ACCOUNTED]


@pytest.mark.parametrize("text", ["Diese Aufgabe blocks P-2", "此问题blocksP-2", "BLOCKS P-2"])
def test_sentences_in_other_languages(text: str) -> None:
    changes = [made(1, text=text), entry(10, text="This issue blocks P-2")]
    assert verdicts(changes, written()) == [Verdict.ACCOUNTED]
    assert verdicts([made(1, ANN, text=text), GONE], written()) == [Verdict.UNMANAGED]


def test_a_sentence_that_cannot_be_read_leaves_the_ends_to_go_by() -> None:
    odd = "(no words that we know) P-2"
    assert verdicts([made(1, text=odd), entry(10, text=odd)], written()) == [Verdict.ACCOUNTED]
    assert verdicts([made(1, ANN, text=odd), GONE], written()) == [Verdict.UNMANAGED]
    assert verdicts([made(1, text=odd), entry(10, text=odd)]) == [Verdict.UNAUDITED]
    mixed = [made(1, text=odd), made(2, ANN, text=odd), GONE]
    assert verdicts(mixed, written()) == [Verdict.UNCLEAR]
    # Older than what we know for sure: of no account.
    assert verdicts([made(1, ANN, text=odd), made(2), GONE], written()) == [Verdict.ACCOUNTED]


def test_a_type_that_was_renamed_since_is_still_ours() -> None:
    renamed = LinkType(BLOCKS.id, "Stops", "is stopped by", "stops")
    changes = [made(1), entry(10, text="This issue stops P-2")]
    assert verdicts(changes, written(), types=(renamed, RELATES)) == [Verdict.ACCOUNTED]


def test_types_that_share_a_wording_cannot_be_told_apart() -> None:
    twin = LinkType(TypeId("9"), "Also blocks", "is also blocked by", "blocks")
    changes = [made(1), made(2, ANN), GONE]
    assert verdicts(changes, written(), types=(BLOCKS, twin)) == [Verdict.UNCLEAR]
    assert verdicts([made(1), GONE], written(), types=(BLOCKS, twin)) == [Verdict.ACCOUNTED]


def test_an_issue_that_moved_is_found_by_its_id() -> None:
    """Its link was made while it was P-2, and removed when it had become Q-7."""
    changes = [made(1), entry(10, text="This issue blocks Q-7", target="Q-7")]
    ids = {IssueKey("P-2"): P2.id, IssueKey("Q-7"): P2.id}
    assert verdicts(changes, written(), ids=ids) == [Verdict.ACCOUNTED]
    assert verdicts(changes, written(), ids={IssueKey("Q-7"): P2.id}) == [Verdict.UNMANAGED]


def test_a_key_that_leads_nowhere_is_compared_itself() -> None:
    assert verdicts([made(1), GONE], written(), ids={}) == [Verdict.ACCOUNTED]


@pytest.mark.parametrize(
    ("text", "other", "symmetric"),
    [
        ("This issue blocks P-2", "This issue is blocked by P-1", False),
        ("This issue relates to P-2", "This issue relates to P-1", True),
        ("(nothing) P-2", "(nothing) P-1", True),
    ],
)
def test_both_ends_name_a_removal_alike(text: str, other: str, symmetric: bool) -> None:
    (one,) = judged([entry(10, text=text)])
    back = entry(10, text=other, target="P-1")
    history = History(P2.id, (back,), True, {IssueKey("P-1"): P1.id})
    (two,) = judge(history, [], TYPES, OwnAccounts.only(OURS), AT)
    assert one.place == two.place
    (turned,) = judged([entry(10, text=other.replace("P-1", "P-2"))])
    assert (turned.place == one.place) is symmetric


RELATED = "This issue relates to P-2"


def related(*audit: Written, **more: Any) -> list[Verdict]:
    """Ann adds the reversed link beside ours, and we remove ours."""
    changes = [made(1, text=RELATED), made(5, ANN, text=RELATED), entry(10, text=RELATED)]
    return verdicts(changes, *audit, **more)


def test_what_somebody_adds_beside_our_link_raises_no_alarm() -> None:
    ours = written(type_id=RELATES.id, created=1)
    assert related(ours) == [Verdict.ACCOUNTED]
    gone_again = [
        made(1, text=RELATED), made(5, ANN, text=RELATED), entry(6, ANN, text=RELATED),
        entry(10, text=RELATED),
    ]  # fmt: skip
    assert verdicts(gone_again, ours) == [Verdict.ACCOUNTED]
    odd = [made(1), made(5, ANN, text="(no words that we know) P-2"), GONE]
    assert verdicts(odd, written(created=1)) == [Verdict.ACCOUNTED]


def test_of_several_links_the_id_says_which_one_we_removed() -> None:
    """We never made the one that we removed, or made its id before this Jira went back."""
    assert related(written(type_id=RELATES.id)) == [Verdict.UNMANAGED]
    assert related(written(type_id=RELATES.id, created=-30)) == [Verdict.UNMANAGED]
    first_theirs = [made(1, ANN, text=RELATED), made(5, text=RELATED), entry(10, text=RELATED)]
    assert verdicts(first_theirs, written(type_id=RELATES.id)) == [Verdict.UNMANAGED]
    assert verdicts(first_theirs, written(type_id=RELATES.id, created=5)) == [Verdict.ACCOUNTED]


def test_the_very_same_link_twice() -> None:
    twice = [made(1), made(2, ANN), GONE]
    assert verdicts(twice, written(created=1)) == [Verdict.ACCOUNTED]
    assert verdicts(twice, written()) == [Verdict.UNMANAGED]


FORMER = AccountId("former")


def test_what_a_former_account_made_is_ours() -> None:
    changed = AT + timedelta(minutes=7)
    ours = OwnAccounts((Tenure(FORMER, None, changed), Tenure(OURS, changed)))
    assert verdicts([made(1, FORMER), GONE], written(), accounts=ours) == [Verdict.ACCOUNTED]
    later = [made(60, FORMER), entry(70)]
    assert verdicts(later, written(70, until=70.1), accounts=ours) == [Verdict.UNMANAGED]
    assert verdicts([made(1), entry(6, FORMER)], accounts=ours) == [Verdict.UNAUDITED]
    assert verdicts([made(1), entry(60, FORMER)], accounts=ours) == [], "a person's by then"
