"""Every Cloud route is in Atlassian's document, and every one of them was held against it."""

from __future__ import annotations

import httpx
import pytest

from app.sandbox import JiraSite
from app.sandbox.routes.routing import TABLE
from tests.sandbox.conftest import Connect, body_of
from tests.sandbox.contract import Contract
from tests.sandbox.contract_facts import PREFIX as V3
from tests.sandbox.contract_facts import anonymous

CALLS: tuple[tuple[str, str, object], ...] = (
    ("GET", "/myself", None),
    ("GET", "/serverInfo", None),
    ("GET", "/project", None),
    ("GET", "/project/search", None),
    ("GET", "/project/A", None),
    ("GET", "/field", None),
    ("GET", "/mypermissions?permissions=BROWSE_PROJECTS", None),
    ("GET", "/issueLinkType", None),
    ("POST", "/issueLinkType", {"name": "N", "inward": "i", "outward": "o"}),
    ("GET", "/issueLinkType/10000", None),
    ("POST", "/issueLink", body_of("A-1", "A-2")),
    ("GET", "/issueLink/10000", None),
    ("DELETE", "/issueLink/10000", None),
    ("POST", "/issue", {"fields": {"project": {"key": "A"}, "summary": "S"}}),
    ("POST", "/issue/bulkfetch", {"issueIdsOrKeys": ["A-1", "A-2"], "expand": ["changelog"]}),
    ("GET", "/issue/A-1?expand=changelog", None),
    ("PUT", "/issue/A-1", {"fields": {"summary": "T"}}),
    ("GET", "/issue/A-1/changelog", None),
    ("POST", "/changelog/bulkfetch", {"issueIdsOrKeys": ["A-1"]}),
    ("PUT", "/issue/A-1/properties/p", {"v": 1}),
    ("GET", "/issue/A-1/properties", None),
    ("GET", "/issue/A-1/properties/p", None),
    ("DELETE", "/issue/A-1/properties/p", None),
    ("POST", "/issue/A-1/remotelink", {"globalId": "g", "object": {"url": "u", "title": "t"}}),
    ("GET", "/issue/A-1/remotelink", None),
    ("DELETE", "/issue/A-1/remotelink?globalId=g", None),
    ("GET", "/search/jql?jql=project=A&fields=*all", None),
    ("POST", "/search/jql", {"jql": "project=A", "fields": ["issuelinks"], "maxResults": 2}),
    ("POST", "/search/approximate-count", {"jql": "project=A"}),
    ("GET", "/search?jql=project=A", None),
    ("POST", "/search", {"jql": "project=A"}),
    ("GET", "/webhook", None),
    ("POST", "/webhook", {"url": "u", "webhooks": []}),
    ("DELETE", "/webhook", {"webhookIds": [1]}),
    ("DELETE", "/issue/A-3", None),
)


async def test_every_route_was_checked(
    site: JiraSite, connect: Connect, contract: Contract
) -> None:
    site.quirks.old_search_gone = False
    client = connect(site, "root")
    contract.exchanges.clear()
    for method, path, body in CALLS:
        answer = await client.request(method, f"{V3}{path}", json=body)
        expected = (403,) if path == "/webhook" else (200, 201, 204)
        assert answer.status_code in expected, (method, path, answer.text)

    checked = {anonymous(name) for name in contract.exchanges}
    routes = {
        anonymous(f"{method} {V3}{template}")
        for method, template, _, where in TABLE
        if where != "datacenter"
    }
    assert routes == checked


def test_the_check_can_fail(contract: Contract) -> None:
    request = httpx.Request("GET", f"http://x{V3}/issueLink/1")
    wrong = {"id": 1, "type": {}, "inwardIssue": {}, "outwardIssue": {}}
    with pytest.raises(AssertionError, match="not of type"):
        contract.check(request, httpx.Response(200, json=wrong))
    with pytest.raises(AssertionError):
        contract.check(request, httpx.Response(201, json=wrong))
