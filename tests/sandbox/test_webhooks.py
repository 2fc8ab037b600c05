"""Webhook bodies against real ones, signatures, registration, retries and delivery faults."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.sandbox import DeliveryFault, JiraSite, ManualClock, listen
from app.sandbox.outbox import Delivery, signature
from app.sandbox.people import person_on
from app.sandbox.render import View
from tests.sandbox.conftest import Connect
from tests.sandbox.contract import body_like

SECRET = "It's a Secret to Everybody"
ALL = (
    "issuelink_created",
    "issuelink_deleted",
    "jira:issue_created",
    "jira:issue_updated",
    "jira:issue_deleted",
    "comment_created",
)


@pytest.fixture
def hooked(site: JiraSite) -> JiraSite:
    listen(site, "http://receiver.invalid/hook", SECRET, events=ALL)
    return site


def due(site: JiraSite) -> list[Delivery]:
    """Everything due now, each taken for delivered."""
    taken = site.outbox.pop_due()
    for delivery in taken:
        site.outbox.settle(delivery, 202)
    return taken


def bodies(site: JiraSite) -> list[dict[str, Any]]:
    return [json.loads(delivery.body) for delivery in due(site)]


def model_of(name: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(body_like(name))
    return made


def shape(made: Any) -> Any:
    """Key structure and types of leaves, values forgotten."""
    if isinstance(made, dict):
        return {key: shape(value) for key, value in made.items()}
    if isinstance(made, list):
        return [shape(one) for one in made[:1]]
    return type(made).__name__


def system_fields(issue: dict[str, Any]) -> set[str]:
    return {name for name in issue["fields"] if not name.startswith("customfield_")}


def test_signature_vector() -> None:
    assert signature(SECRET, b"Hello World!") == (
        "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    )


def test_link_events_look_as_model_of(hooked: JiraSite) -> None:
    ann = person_on(hooked, "ann")
    ann.unlink(ann.link("A-1", "Blocks", "A-2"))
    created, deleted = bodies(hooked)
    assert shape(created) == shape(model_of("issuelink_created"))
    assert shape(deleted) == shape(model_of("issuelink_deleted"))
    assert created["issueLink"]["sourceIssueId"] == hooked.issue("A-1").id
    assert created["issueLink"]["destinationIssueId"] == hooked.issue("A-2").id
    relates = model_of("issuelink_created-through-a-logger")
    assert set(created["issueLink"]) == set(relates["issueLink"])


def test_rest_link_looks_as_model_of(hooked: JiraSite) -> None:
    link = person_on(hooked, "ann").link("A-1", "Blocks", "A-2")
    assert shape(View(hooked, hooked.user("ann")).link(link)) == shape(model_of("rest-issue-link"))


def test_updated_issue_looks_as_model_of(hooked: JiraSite) -> None:
    ann = person_on(hooked, "ann")
    ann.link("A-1", "Relates", "A-2")
    ann.edit("A-1", summary="Changed")
    made = bodies(hooked)[-1]
    model = model_of("issue_updated")
    assert list(made) == list(model)
    assert set(made["user"]) == set(model["user"])
    assert set(made["issue"]) == set(model["issue"])
    assert system_fields(model["issue"]) <= system_fields(made["issue"])
    assert shape(made["issue"]["fields"]["issuelinks"]) == shape(
        model["issue"]["fields"]["issuelinks"]
    )
    assert set(made["changelog"]) == set(model["changelog"])
    assert set(made["changelog"]["items"][0]) == set(model["changelog"]["items"][0])


def test_deleted_issue_looks_as_model_of(hooked: JiraSite) -> None:
    person_on(hooked, "ann").delete("A-1")
    made = bodies(hooked)[0]
    model = model_of("issue_deleted")
    assert set(made) == set(model)
    assert system_fields(made["issue"]) == system_fields(model["issue"])


def test_link_items_in_exports(hooked: JiraSite) -> None:
    hooked.quirks.issue_event_on_link = True
    person_on(hooked, "ann").link("A-1", "Blocks", "A-2")
    made = [body for body in bodies(hooked) if body["webhookEvent"] == "jira:issue_updated"]
    assert [body["changelog"]["items"][0]["to"] for body in made] == ["A-2", "A-1"]
    assert "fieldId" not in made[0]["changelog"]["items"][0]


def test_ordinary_links_send_no_issue_event(hooked: JiraSite) -> None:
    person_on(hooked, "ann").link("A-1", "Blocks", "A-2")
    assert [body["webhookEvent"] for body in bodies(hooked)] == ["issuelink_created"]


def test_system_links_fire(hooked: JiraSite) -> None:
    person_on(hooked, "ann").link("A-1", "Epic-Story Link", "A-2")
    made = bodies(hooked)[0]["issueLink"]
    assert made["systemLink"] is True
    assert made["issueLinkType"]["isSystemLinkType"] is True


async def test_deleted_issues_links_follow_late(hooked: JiraSite, clock: ManualClock) -> None:
    ann = person_on(hooked, "ann")
    ann.link("A-1", "Blocks", "A-2")
    due(hooked)
    ann.delete("A-1")
    assert [one.event for one in due(hooked)] == ["jira:issue_deleted"]
    clock.tick(900)
    late = due(hooked)
    assert [(one.event, one.flow) for one in late] == [("issuelink_deleted", "Secondary")]
    assert hooked.outbox.headers(late[0])["X-Atlassian-Webhook-Flow"] == "Secondary"


def test_comments_carry_no_links(hooked: JiraSite) -> None:
    person_on(hooked, "ann").comment("A-1", "Hello")
    first, second = bodies(hooked)
    assert "issuelinks" not in first["issue"]["fields"]
    assert "changelog" not in second


def test_retries_keep_the_identifier(hooked: JiraSite, clock: ManualClock) -> None:
    person_on(hooked, "ann").link("A-1", "Blocks", "A-2")
    seen = []
    for status in (None, 503, 429, 408, 500):
        (delivery,) = hooked.outbox.pop_due()
        headers = hooked.outbox.headers(delivery)
        assert headers["X-Hub-Signature"] == signature(SECRET, delivery.body)
        seen.append(
            (headers["X-Atlassian-Webhook-Identifier"], headers.get("X-Atlassian-Webhook-Retry"))
        )
        hooked.outbox.settle(delivery, status)
        if hooked.outbox.idle:
            break
        wait = (hooked.outbox.next_due() or 0) - clock.now()
        assert 300 <= wait <= 900
        hooked.outbox.scale = 0.001  # else half an hour of failing ends the retries
        clock.tick(wait)
    assert len({identifier for identifier, _ in seen}) == 1
    assert [retry for _, retry in seen][:2] == [None, "1"]
    assert hooked.outbox.log[-1].outcome == "gave_up"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_other_refusals_are_final(hooked: JiraSite, status: int) -> None:
    person_on(hooked, "ann").link("A-1", "Blocks", "A-2")
    (delivery,) = hooked.outbox.pop_due()
    assert hooked.outbox.settle(delivery, status) == "refused"
    assert hooked.outbox.idle


def test_after_half_an_hour_one_attempt_each(hooked: JiraSite, clock: ManualClock) -> None:
    ann = person_on(hooked, "ann")
    ann.link("A-1", "Blocks", "A-2")
    (delivery,) = hooked.outbox.pop_due()
    assert hooked.outbox.settle(delivery, 500) == "retry"
    clock.tick(1801)
    outcomes = [hooked.outbox.settle(one, 500) for one in hooked.outbox.pop_due()]
    assert outcomes == ["gave_up"]
    ann.link("A-1", "Blocks", "A-3")
    (delivery,) = hooked.outbox.pop_due()
    assert hooked.outbox.settle(delivery, 202) == "delivered"
    ann.link("A-1", "Blocks", "A-4")
    (delivery,) = hooked.outbox.pop_due()
    assert hooked.outbox.settle(delivery, 500) == "retry"


def test_data_center_never_retries(dc: JiraSite) -> None:
    listen(dc, "http://receiver.invalid/hook", SECRET)
    person_on(dc, "ann").link("A-1", "Blocks", "A-2")
    (delivery,) = dc.outbox.pop_due()
    headers = dc.outbox.headers(delivery)
    assert "X-Atlassian-Webhook-Identifier" not in headers
    assert headers["X-Hub-Signature"].startswith("sha256=")
    assert dc.outbox.settle(delivery, 503) == "gave_up"
    assert dc.outbox.idle


def test_duplicate_lose_delay_shuffle(hooked: JiraSite, clock: ManualClock) -> None:
    ann = person_on(hooked, "ann")
    hooked.outbox.faults.append(DeliveryFault("duplicate", times=1))
    ann.link("A-1", "Blocks", "A-2")
    twice = due(hooked)
    assert len({one.identifier for one in twice}) == 1
    assert len(twice) == 2
    hooked.outbox.faults[:] = [DeliveryFault("lose", event="created", times=1)]
    link = ann.link("A-1", "Blocks", "A-3")
    assert hooked.outbox.idle
    assert hooked.outbox.log[-1].outcome == "lost"
    hooked.outbox.faults[:] = [DeliveryFault("delay", seconds=60)]
    ann.unlink(link)
    assert due(hooked) == []
    clock.tick(61)
    assert [one.event for one in due(hooked)] == ["issuelink_deleted"]
    hooked.outbox.faults[:] = [DeliveryFault("shuffle", seconds=60)]
    for number in range(2, 6):
        ann.link("X-1", "Blocks", f"A-{number}")
    clock.tick(61)
    order = [json.loads(one.body)["issueLink"]["id"] for one in due(hooked)]
    assert sorted(order) != order


async def test_admin_resource(site: JiraSite, connect: Connect) -> None:
    where = "/rest/webhooks/1.0/webhook"
    body = {
        "name": "Twinlink",
        "url": "http://receiver.invalid/hook",
        "events": ["issuelink_created", "jira:issue_updated"],
        "filters": {"issue-related-events-section": "project = A"},
        "secret": SECRET,
    }
    assert (await connect(site).post(where, json=body)).status_code == 403
    root = connect(site, "root")
    made = (await root.post(where, json=body)).json()
    assert made["isSigned"] is True
    assert SECRET not in json.dumps(made)
    assert [one["name"] for one in (await root.get(where)).json()] == ["Twinlink"]
    ann = person_on(site, "ann")
    ann.edit("X-1", summary="Out of the filter")
    ann.edit("A-1", summary="In the filter")
    ann.link("X-1", "Blocks", "A-1")  # link events know no filter
    assert [one.event for one in due(site)] == ["jira:issue_updated", "issuelink_created"]
    number = made["self"].rsplit("/", 1)[1]
    await root.put(f"{where}/{number}", json={"enabled": False})
    ann.link("A-2", "Blocks", "A-1")
    assert site.outbox.idle
    assert (await root.delete(f"{where}/{number}")).status_code == 204
    assert (await root.get(f"{where}/{number}")).status_code == 404
    bad = await root.post(where, json={**body, "events": ["issuelink_updated"]})
    assert bad.status_code == 400


async def test_dynamic_webhooks_are_for_apps(site: JiraSite, connect: Connect) -> None:
    assert (await connect(site).get("/rest/api/3/webhook")).status_code == 403
