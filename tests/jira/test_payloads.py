"""Bodies as Jira sends them, and odd ones, which are never guessed at."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.authorship import NO_DATE
from app.core.links import IssueId, Link
from app.jira.bulk_read import merged, reading
from app.jira.changelog import CLOUD_SHAPE, DATA_CENTER_SHAPE, parse_changelog
from app.jira.deployment import Batch
from app.jira.http.malformed import MalformedError
from app.jira.payloads import Wanted, parse_issue, parse_link, parse_link_types
from tests.sandbox.contract import body_like

Json = dict[str, Any]
AT = datetime(2025, 8, 29, 16, 0, tzinfo=UTC)


def entry(side: str, number: int = 12) -> Json:
    """One entry of A-11's own `issuelinks`."""
    return {"id": "501", "type": {"id": "7"}, side: {"id": str(number), "key": f"A-{number}"}}


def issue(number: int = 11, **fields: Any) -> Json:
    shown: Json = {"project": {"id": "1", "key": "A"}, "issuelinks": []}
    return {"id": str(number), "key": f"A-{number}", "fields": shown | fields}


def links_of(raw: Json) -> tuple[Link, ...] | None:
    return parse_issue(raw, Wanted(), CLOUD_SHAPE).links


def ends(link: Link) -> tuple[str, str]:
    return link.source.key, link.destination.key


def test_direction_of_an_own_entry() -> None:
    (outward,) = links_of(issue(issuelinks=[entry("outwardIssue")])) or ()
    (inward,) = links_of(issue(issuelinks=[entry("inwardIssue")])) or ()
    assert ends(outward) == ("A-11", "A-12")
    assert ends(inward) == ("A-12", "A-11")


def test_direction_of_a_whole_link() -> None:
    link = parse_link(entry("inwardIssue", 11) | entry("outwardIssue", 12))
    assert ends(link) == ("A-11", "A-12")


def test_a_missing_array_is_not_an_empty_one() -> None:
    without = issue()
    del without["fields"]["issuelinks"]
    assert links_of(without) is None
    assert links_of(issue(issuelinks=None)) is None
    assert links_of(issue()) == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"archiveddate": "2025-01-01T00:00:00.000+0000"},
        {"project": {"key": "A", "archived": True}},
        {"project": {"key": "A", "archived": "odd"}},
    ],
)
def test_any_sign_of_an_archive_counts(fields: Json) -> None:
    assert parse_issue(issue(**fields), Wanted(), CLOUD_SHAPE).archived
    assert not parse_issue(issue(), Wanted(), CLOUD_SHAPE).archived


def spoil(change: Callable[[Json], object]) -> Json:
    raw = issue(issuelinks=[entry("outwardIssue")])
    change(raw)
    return raw


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        "text",
        {},
        spoil(lambda raw: raw.pop("key")),
        spoil(lambda raw: raw.update(key="a-1")),
        spoil(lambda raw: raw.update(key=7)),
        spoil(lambda raw: raw.update(id="11x")),
        spoil(lambda raw: raw.update(id=True)),
        spoil(lambda raw: raw.update(fields=[])),
        spoil(lambda raw: raw["fields"].pop("project")),
        spoil(lambda raw: raw["fields"].update(project={"key": None})),
        spoil(lambda raw: raw["fields"].update(issuelinks={})),
        spoil(lambda raw: raw["fields"].update(issuelinks="none")),
        spoil(lambda raw: raw["fields"].update(issuelinks=[None])),
        spoil(lambda raw: raw["fields"]["issuelinks"][0].pop("id")),
        spoil(lambda raw: raw["fields"]["issuelinks"][0].pop("type")),
        spoil(lambda raw: raw["fields"]["issuelinks"][0].update(type={"id": None})),
        spoil(lambda raw: raw["fields"]["issuelinks"][0].pop("outwardIssue")),
        spoil(lambda raw: raw["fields"]["issuelinks"][0].update(entry("inwardIssue"))),
        spoil(lambda raw: raw["fields"]["issuelinks"][0]["outwardIssue"].pop("key")),
    ],
)
def test_odd_issues_are_malformed(raw: object) -> None:
    with pytest.raises(MalformedError):
        parse_issue(raw, Wanted(), CLOUD_SHAPE)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.fixed_dictionaries({"id": values, "key": values, "fields": values}) | values)
def test_anything_is_an_issue_or_malformed(raw: object) -> None:
    try:
        parse_issue(raw, Wanted(changelog=True), CLOUD_SHAPE)
    except MalformedError:
        return


def test_a_reading_accounts_for_every_issue() -> None:
    asked = [IssueId(str(number)) for number in (11, 12, 13, 14)]
    batch = Batch(
        [issue(11), issue(12, issuelinks="odd"), issue(99), {"id": []}, None],
        frozenset({"13"}),
        AT,
    )
    found = reading(asked, batch, Wanted(), CLOUD_SHAPE)
    assert set(found.issues) == {"11"}
    assert found.unread == {"12": "malformed", "13": "error", "14": "not_returned"}


def test_the_same_issue_twice_with_different_links_is_malformed() -> None:
    twice = Batch([issue(11), issue(11, issuelinks=[entry("outwardIssue")])], at=AT)
    found = reading([IssueId("11")], twice, Wanted(), CLOUD_SHAPE)
    assert found.issues == {}
    assert found.unread == {"11": "malformed"}


def test_one_undated_answer_makes_the_whole_undated() -> None:
    dated, undated = Batch(at=AT), Batch(at=NO_DATE)
    assert dated.joined(undated).at == undated.joined(dated).at == NO_DATE
    parts = [reading([], batch, Wanted(), CLOUD_SHAPE) for batch in (dated, undated)]
    assert merged(parts).at == NO_DATE
    assert merged(parts[:1]).at == AT


def history(number: int, created: str, *items: Json, author: str = "us") -> Json:
    return {
        "id": str(number),
        "created": created,
        "author": {"accountId": author, "key": author, "displayName": "Some Body"},
        "items": list(items),
    }


ADDED = {"field": "Link", "to": "A-2", "toString": "This issue blocks A-2", "from": None}
REMOVED = {"field": "Link", "from": "A-2", "fromString": "This issue blocks A-2", "to": None}
OTHER = {"field": "summary", "fromString": "private", "toString": "also private"}


def test_only_link_items_survive_oldest_first() -> None:
    page = {
        "startAt": 0,
        "total": 3,
        "histories": [
            history(3, "2025-08-29T18:00:00.500+0200", OTHER),
            history(2, "2025-08-29T16:00:02.000+0000", REMOVED, OTHER),
            history(1, "2025-08-29T18:00:01.000+0200", ADDED),
        ],
    }
    changes, complete = parse_changelog(page, CLOUD_SHAPE)
    assert changes is not None
    assert [(change.added, change.at.second, change.history_id) for change in changes] == [
        (True, 1, "1"),
        (False, 2, "2"),
    ]
    assert complete
    assert "private" not in repr(changes)


def test_the_clocks_of_two_nodes_do_not_change_the_order() -> None:
    """The node that wrote the removal is a second behind the one that wrote the addition."""
    page = {
        "total": 2,
        "histories": [
            history(10, "2025-08-29T16:00:01.000+0000", REMOVED),
            history(9, "2025-08-29T16:00:02.000+0000", ADDED),
        ],
    }
    changes, _ = parse_changelog(page, DATA_CENTER_SHAPE)
    assert changes is not None
    assert [change.added for change in changes] == [True, False]


@pytest.mark.parametrize(
    ("page", "complete"),
    [
        ({"total": 40, "histories": [history(1, "2025-08-29T16:00:00Z")] * 40}, False),
        ({"total": 41, "histories": [history(1, "2025-08-29T16:00:00Z")]}, False),
        ({"startAt": 1, "total": 1, "histories": [history(1, "2025-08-29T16:00:00Z")]}, False),
        ({"histories": []}, False),
        ({"total": 0, "histories": []}, True),
    ],
)
def test_a_cut_changelog_is_incomplete(page: Json, complete: bool) -> None:
    assert parse_changelog(page, CLOUD_SHAPE)[1] is complete


def test_data_center_sends_all_of_it_and_names_users_by_key() -> None:
    first = history(1, "2025-08-29T16:00:00Z", ADDED)
    first["author"] = {"key": "JIRAUSER1", "accountId": "wrong"}
    later = [history(number, "2025-08-29T16:00:01Z", ADDED) for number in range(2, 61)]
    page = {"total": 60, "histories": [first, *later]}
    changes, complete = parse_changelog(page, DATA_CENTER_SHAPE)
    assert complete
    assert changes is not None
    assert {change.author for change in changes} == {"us", "JIRAUSER1"}


def test_a_missing_changelog_is_none() -> None:
    assert parse_changelog(None, CLOUD_SHAPE) == (None, False)


@pytest.mark.parametrize(
    "page",
    [
        [],
        {},
        {"histories": [None]},
        {"histories": [{"items": None}]},
        {"histories": [{"items": [None]}]},
        {"histories": [history(1, "yesterday", ADDED)]},
        {"histories": [history(1, "2025-08-29T16:00:00", ADDED)]},
        {"histories": [history(1, "2025-08-29T16:00:00Z", ADDED | {"to": 7})]},
    ],
)
def test_odd_changelogs_are_malformed(page: object) -> None:
    with pytest.raises(MalformedError):
        parse_changelog(page, CLOUD_SHAPE)


@pytest.mark.parametrize("raw", [[], {}, {"issueLinkTypes": [{}]}, {"issueLinkTypes": None}])
def test_odd_link_types_are_malformed(raw: object) -> None:
    with pytest.raises(MalformedError):
        parse_link_types(raw)


def test_a_link_reads_as_its_direction() -> None:
    link = parse_link(json.loads(body_like("rest-issue-link")))
    assert (link.id, link.type_id) == ("40312", "10210")
    assert ends(link) == ("KAI-14", "KAI-52")


def test_an_issue_of_a_webhook_reads() -> None:
    raw = json.loads(body_like("issue_updated"))["issue"]
    view = parse_issue(raw, Wanted(field="customfield_10609"), CLOUD_SHAPE)
    assert [ends(link) for link in view.links or ()] == [("KAI-14", "KAI-31")]
    assert view.field_text == "KAI-77"
