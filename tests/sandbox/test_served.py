"""Over sockets: webhooks arrive signed, connections drop, public clients agree on direction."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager, closing
from typing import Any

import httpx
import pytest
from atlassian import Jira as AtlassianJira
from jira import JIRA

from app.sandbox import Fault, Flavour, JiraSite, Served, WallClock, listen, serve, token_of
from app.sandbox.courier import Courier
from app.sandbox.outbox import signature
from app.sandbox.people import person_on
from tests.sandbox.conftest import body_of, small_site

SECRET = "made-up"


def wall_site(flavour: Flavour = "cloud") -> JiraSite:
    site = small_site(flavour)
    site.use_clock(WallClock())
    return site


class Receiver:
    """A webhook target with memory; answers what `statuses` say, then 202."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.seen: list[tuple[dict[str, str], bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        more = True
        while more:
            message: MutableMapping[str, Any] = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.seen.append((headers, body))
        status = self.statuses.pop(0) if self.statuses else 202
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def received(site: JiraSite, receiver: Receiver) -> AsyncIterator[Served]:
    """The site served, its webhooks going to `receiver` in process."""
    async with serve(site) as (served,):
        served.courier.reroute(httpx.ASGITransport(app=receiver))
        listen(site, "http://receiver.invalid/webhooks/jira/left", SECRET)
        yield served


async def test_signed_webhooks_arrive_and_are_retried() -> None:
    site = wall_site()
    site.outbox.scale = 0.00001
    receiver = Receiver(503)
    async with received(site, receiver) as served, served.client("twinlink") as client:
        answer = await client.post("/rest/api/3/issueLink", json=body_of("A-1", "A-2"))
        assert answer.status_code == 201
        await site.outbox.wait_for(lambda: site.outbox.delivered == 1)
    (first, body), (second, again) = receiver.seen
    assert body == again
    assert first["x-hub-signature"] == signature(SECRET, body)
    name = "x-atlassian-webhook-identifier"
    assert first[name] == second[name]
    assert second["x-atlassian-webhook-retry"] == "1"
    link = json.loads(body)["issueLink"]
    assert link["sourceIssueId"] == site.issue("A-1").id


async def test_connect_failures_are_retried_five_times() -> None:
    site = wall_site()
    site.outbox.scale = 0.00001
    async with serve(site):
        listen(site, "http://127.0.0.1:9/hook", SECRET)
        person_on(site, "ann").link("A-1", "Blocks", "A-2")
        await site.outbox.wait_idle()
    assert [attempt.status for attempt in site.outbox.log] == [None] * len(site.outbox.log)
    assert site.outbox.log[-1].outcome == "gave_up"


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
async def test_dropped_over_the_socket(kind: str) -> None:
    site = wall_site()
    async with serve(site) as (served,), served.client("twinlink") as client:
        site.faults.add(Fault(kind, method="POST", times=1))  # type: ignore[arg-type]
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/rest/api/3/issueLink", json=body_of("A-1", "A-2"))
        assert len(site.links) == (kind == "drop_after")
        assert (await client.get("/rest/api/3/myself")).status_code == 200


async def test_late_commit_over_the_socket() -> None:
    site = wall_site()
    async with serve(site) as (served,), served.client("twinlink") as client:
        site.faults.add(Fault("late_commit", method="POST", times=1, seconds=0.2))
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/rest/api/3/issueLink", json=body_of("A-1", "A-2"), timeout=0.05)
        assert not site.links
        await served.app.settled()
        assert site.triples_of() == {("A-1", "Blocks", "A-2")}


async def test_two_sites_have_addresses_of_their_own() -> None:
    left, right = wall_site(), wall_site("datacenter")
    async with serve(left, right) as (one, two):
        assert one.base_url != two.base_url
        async with one.client("twinlink") as client:
            info = (await client.get("/rest/api/3/serverInfo")).json()
            assert info["baseUrl"] == one.base_url
        async with two.client("twinlink") as client:
            made = await client.post("/rest/api/2/issueLink", json=body_of("A-1", "A-2"))
            assert made.status_code == 201
    assert right.triples_of() == {("A-1", "Blocks", "A-2")}


@pytest.mark.parametrize("flavour", ["cloud", "datacenter"])
async def test_pycontribs_jira(flavour: Flavour) -> None:
    site = wall_site(flavour)
    token, email = token_of(site, "twinlink"), site.user("twinlink").email

    def work(base: str) -> None:
        options: dict[str, Any] = (
            {"basic_auth": (email, token)} if flavour == "cloud" else {"token_auth": token}
        )
        with closing(JIRA(base, max_retries=0, **options)) as jira:
            assert jira.myself()["displayName"] == "Twinlink"
            jira.create_issue_link("Blocks", "A-1", "A-2")
            issue = jira.issue("A-1", expand="changelog")
            entry = issue.fields.issuelinks[0]
            assert entry.outwardIssue.key == "A-2"
            assert issue.changelog.histories[0].items[0].toString == "This issue blocks A-2"
            link = jira.issue_link(entry.id)
            assert (link.inwardIssue.key, link.outwardIssue.key) == ("A-1", "A-2")
            found = jira.search_issues("project = A ORDER BY key", fields="issuelinks")
            assert [one.key for one in found] == ["A-1", "A-2", "A-3", "A-4", "A-5"]
            assert {made.name for made in jira.issue_link_types()} == {"Blocks", "Relates"}
            made = jira.create_issue(project="A", summary="S", issuetype={"name": "Task"})
            made.update(summary="T")
            assert jira.issue(made.key).fields.summary == "T"
            link.delete()
            assert jira.issue("A-1").fields.issuelinks == []

    async with serve(site) as (served,):
        await asyncio.to_thread(work, served.base_url)
    assert [entry.kind for entry in site.mutations] == ["created", "removed"]


@pytest.mark.parametrize("flavour", ["cloud", "datacenter"])
async def test_atlassian_python_api(flavour: Flavour) -> None:
    site = wall_site(flavour)
    token, email = token_of(site, "twinlink"), site.user("twinlink").email

    def work(base: str) -> None:
        options: dict[str, Any] = (
            {"username": email, "password": token, "cloud": True}
            if flavour == "cloud"
            else {"token": token, "cloud": False}
        )
        jira: Any = AtlassianJira(url=base, **options)
        jira.create_issue_link(body_of("A-1", "A-2"))
        fields = jira.issue("A-1", fields="issuelinks")["fields"]
        entry = fields["issuelinks"][0]
        assert entry["outwardIssue"]["key"] == "A-2"
        link = jira.get_issue_link(entry["id"])
        assert (link["inwardIssue"]["key"], link["outwardIssue"]["key"]) == ("A-1", "A-2")
        search = jira.enhanced_jql if flavour == "cloud" else jira.jql
        found = search("project = A ORDER BY key", fields="key")
        assert [one["key"] for one in found["issues"]] == ["A-1", "A-2", "A-3", "A-4", "A-5"]
        assert [made["name"] for made in jira.get_issue_link_types()] == ["Blocks", "Relates"]
        jira.remove_issue_link(entry["id"])
        jira.close()

    async with serve(site) as (served,):
        await asyncio.to_thread(work, served.base_url)
    assert [entry.kind for entry in site.mutations] == ["created", "removed"]


@pytest.mark.parametrize("steps", range(6))
async def test_a_courier_ends_at_any_moment(steps: int) -> None:
    """Also when it is cancelled while it looks again because something was queued."""
    site = wall_site()
    async with asyncio.timeout(10), Courier(site):
        await asyncio.sleep(0)
        site.outbox.wake()
        for _ in range(steps):
            await asyncio.sleep(0)
