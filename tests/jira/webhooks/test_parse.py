"""Bodies that Jira sends, bodies that relays have changed, and bodies that nobody should send."""

import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.jira.webhooks.parse import (
    Delivery,
    Ignored,
    MalformedDelivery,
    parse_delivery,
    verify_signature,
)
from tests.sandbox.contract import body_like


def link_event(**changes: object) -> dict[str, Any]:
    link: dict[str, Any] = {
        "id": 501,
        "sourceIssueId": 11,
        "destinationIssueId": 12,
        "issueLinkType": {"id": 7, "isSubTaskLinkType": False, "isSystemLinkType": False},
        "systemLink": False,
    }
    link.update(changes)
    return {"timestamp": 1700000000123, "webhookEvent": "issuelink_created", "issueLink": link}


def updated(*items: object, **issue: object) -> dict[str, Any]:
    return {
        "webhookEvent": "jira:issue_updated",
        "issue": {"id": "11", "key": "AB-1", "fields": {"summary": "private"}} | issue,
        "changelog": {"id": "9", "items": list(items)},
        "user": {"accountId": "somebody", "displayName": "Some Body"},
    }


def parse(body: object) -> Delivery | Ignored:
    return parse_delivery(json.dumps(body).encode())


def test_a_link_event_is_its_identifiers() -> None:
    assert parse(link_event()) == Delivery(
        event="issuelink_created",
        kind="link_created",
        issue_ids=(11, 12),
        link_id=501,
        type_id=7,
        source_id=11,
        destination_id=12,
        timestamp=datetime(2023, 11, 14, 22, 13, 20, 123000, UTC),
    )


@pytest.mark.parametrize(
    ("event", "kind"),
    [("jira:issue_created", "issue_created"), ("jira:issue_deleted", "issue_deleted")],
)
def test_an_issue_event_needs_no_changelog(event: str, kind: str) -> None:
    found = parse({"webhookEvent": event, "issue": {"id": "20733", "key": "TIGR-361"}})
    assert isinstance(found, Delivery)
    assert (found.kind, found.issue_ids, found.issue_key) == (kind, (20733,), "TIGR-361")


@pytest.mark.parametrize(
    ("item", "word"),
    [
        ({"field": "Link", "to": "AB-2", "toString": "This issue blocks AB-2"}, "link"),
        ({"field": "Verknüpfung", "fieldId": "issuelinks"}, "link"),
        ({"field": "Key"}, "key"),
        ({"field": "project", "fieldId": "project"}, "project"),
        ({"field": "security", "fieldId": "security"}, "security"),
        ({"field": "Security Level"}, "security"),
        ({"field": "Twin", "fieldtype": "custom", "fieldId": "customfield_10042"},
         "customfield_10042"),
        ({"field": "Twin", "fieldtype": "custom"}, "custom"),
    ],
)  # fmt: skip
def test_an_update_is_work_when_it_names_what_matters(item: object, word: str) -> None:
    found = parse(updated({"field": "summary", "fieldId": "summary"}, item))
    assert isinstance(found, Delivery)
    assert found.fields_changed == (word,)


@pytest.mark.parametrize(
    "items", [[], [{"field": "summary", "fieldId": "summary"}], ["odd"], [None]]
)
def test_other_updates_are_ignored(items: list[object]) -> None:
    assert parse(updated(*items)) == Ignored("jira:issue_updated", "no_relevant_change")


def test_nothing_but_identifiers_survives() -> None:
    found = parse(updated({"field": "Link", "toString": "This issue blocks AB-2"}))
    assert "private" not in repr(found)
    assert "somebody" not in repr(found)
    assert "blocks" not in repr(found)


@pytest.mark.parametrize(
    "changes",
    [
        {"systemLink": True},
        {"issueLinkType": {"id": 7, "isSystemLinkType": True}},
        {"issueLinkType": {"id": 7, "isSubTaskLinkType": True}},
    ],
)
def test_system_links_are_ignored(changes: dict[str, object]) -> None:
    assert parse(link_event(**changes)) == Ignored("issuelink_created", "system_link")


@pytest.mark.parametrize("event", ["comment_created", "jira:version_released", "sprint_started"])
def test_other_events_are_ignored(event: str) -> None:
    assert parse({"webhookEvent": event}) == Ignored(event, "other_event")


def test_a_strange_event_name_is_not_kept() -> None:
    assert parse({"webhookEvent": "Some text\x00 of a person"}) == Ignored("other", "other_event")


@pytest.mark.parametrize(
    "timestamp",
    ["11/6/2019, 4:38:37 PM,626", None, True, 1.5, 10**40, -(10**40), [], {}, "9" * 400],
)
def test_an_odd_time_costs_nothing(timestamp: object) -> None:
    found = parse(link_event() | {"timestamp": timestamp})
    assert isinstance(found, Delivery)
    assert found.timestamp is None


def test_ids_may_be_text_and_fields_may_be_extra() -> None:
    found = parse(link_event(id="501", sourceIssueId="11", selfGenerated=True) | {"level": "x"})
    assert isinstance(found, Delivery)
    assert (found.link_id, found.source_id) == (501, 11)


def test_a_link_of_an_issue_with_itself_names_it_once() -> None:
    found = parse(link_event(destinationIssueId=11))
    assert isinstance(found, Delivery)
    assert found.issue_ids == (11,)


@pytest.mark.parametrize(
    "bad", [0, -1, 2**63, 10**30, 1.0, True, "", "x", "-1", "1e3", "١٢", "1\x00", [], {}, "9" * 20]
)
@pytest.mark.parametrize("name", ["id", "sourceIssueId", "destinationIssueId"])
def test_unusable_ids_are_refused(name: str, bad: object) -> None:
    with pytest.raises(MalformedDelivery):
        parse(link_event(**{name: bad}))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b"not json",
        b"\xff\xfe\x00",
        b'{"webhookEvent": 5}',
        b'{"webhookEvent": "issuelink_created"}',
        b'{"webhookEvent": "issuelink_created", "issueLink": []}',
        b'{"webhookEvent": "jira:issue_deleted", "issue": {"key": "AB-1"}}',
        b'{"webhookEvent": "issuelink_created", "issueLink": {"sourceIssueId": NaN}}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_delivery_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedDelivery) as caught:
        parse_delivery(raw)
    assert caught.value.code == "malformed_delivery"


def test_a_lone_surrogate_in_a_summary_does_not_cost_the_delivery() -> None:
    body = updated({"field": "Link"})
    body["issue"]["fields"]["summary"] = "\ud83d"
    assert isinstance(parse(body), Delivery)


def test_a_byte_order_mark_is_passed_over() -> None:
    raw = json.dumps(link_event()).encode("utf-8-sig")
    assert isinstance(parse_delivery(raw), Delivery)


def test_of_a_repeated_name_the_last_counts() -> None:
    raw = b'{"webhookEvent": "comment_created", "webhookEvent": "sprint_started"}'
    assert parse_delivery(raw) == Ignored("sprint_started", "other_event")


def test_an_odd_issue_key_is_left_out() -> None:
    found = parse(updated({"field": "Link"}, key="AB-1; DROP"))
    assert isinstance(found, Delivery)
    assert found.issue_key is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["webhookEvent", "timestamp", "issueLink", "issue", "changelog"]),
        values | st.sampled_from(["issuelink_deleted", "jira:issue_updated"]),
    )
)
def test_any_object_is_a_delivery_or_ignored_or_malformed(body: dict[str, object]) -> None:
    try:
        found = parse(body)
    except MalformedDelivery:
        return
    assert isinstance(found, Delivery | Ignored)


@given(st.binary())
def test_any_bytes_are_answered(raw: bytes) -> None:
    try:
        parse_delivery(raw)
    except MalformedDelivery:
        return


def test_link_events_agree_with_their_names() -> None:
    made = parse_delivery(body_like("issuelink_created"))
    gone = parse_delivery(body_like("issuelink_deleted"))
    relates = parse_delivery(body_like("issuelink_created-through-a-logger"))
    assert isinstance(made, Delivery)
    assert isinstance(gone, Delivery)
    assert isinstance(relates, Delivery)
    assert (made.kind, gone.kind) == ("link_created", "link_deleted")
    assert (made.source_id, made.destination_id, made.link_id) == (30145, 30277, 40312)
    assert relates.timestamp is None


def test_whole_issue_events() -> None:
    gone = parse_delivery(body_like("issue_deleted"))
    component = parse_delivery(body_like("issue_updated"))
    assert isinstance(gone, Delivery)
    assert (gone.kind, gone.issue_ids, gone.issue_key) == ("issue_deleted", (31002,), "TUG-9")
    assert component == Ignored("jira:issue_updated", "no_relevant_change")


VECTOR = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
"""Atlassian's published example (jira-facts section 2)."""
SECRET = b"It's a Secret to Everybody"


@pytest.mark.parametrize(
    ("header", "secrets", "valid"),
    [
        (VECTOR, [SECRET], True),
        (VECTOR, [b"newer", SECRET], True),
        (VECTOR.upper(), [SECRET], True),
        (VECTOR, [b"other"], False),
        (VECTOR, [], False),
        (VECTOR[:-1], [SECRET], False),
        (VECTOR.replace("sha256=", ""), [SECRET], False),
        (VECTOR.replace("sha256", "sha1"), [SECRET], False),
        ("sha256=é", [SECRET], False),
        ("", [SECRET], False),
        (None, [SECRET], False),
    ],
)
def test_signatures(header: str | None, secrets: list[bytes], valid: bool) -> None:
    assert verify_signature(b"Hello World!", header, secrets) is valid


def test_an_empty_secret_signs_nothing() -> None:
    empty = "sha256=" + hmac.digest(b"", b"body", "sha256").hex()
    assert not verify_signature(b"body", empty, [b""])
