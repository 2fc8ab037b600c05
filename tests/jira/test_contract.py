"""What the client sends to Cloud, held against Atlassian's OpenAPI document."""

from typing import Any

import httpx

from app.core.links import IssueId, IssueKey, LinkId, ProjectKey, TypeId
from app.jira.client import JiraClient
from app.sandbox import JiraSite, SiteApp
from tests.jira.conftest import access
from tests.sandbox.contract import Contract
from tests.support.assured import assured


class Checked(httpx.AsyncBaseTransport):
    """Passes requests on and checks each exchange."""

    def __init__(self, inner: httpx.AsyncBaseTransport, contract: Contract) -> None:
        self._inner = inner
        self._contract = contract

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        content = await response.aread()
        self._contract.check(request, response)
        return httpx.Response(response.status_code, headers=response.headers, content=content)


async def test_every_exchange_is_as_documented(cloud: JiraSite) -> None:
    contract = Contract()
    http = Checked(httpx.ASGITransport(app=SiteApp(cloud)), contract)
    client = JiraClient(access(cloud), http=http)
    ends = [IssueId(str(cloud.issue(key).id)) for key in ("A-1", "A-2")]
    await client.assure()
    (blocks, *_) = await client.link_types()
    await client.create_link(blocks.id, *ends)
    link = LinkId(str(next(iter(cloud.links))))
    await client.read_issues([*ends, IssueId("1")], changelog=True)
    await client.resolve_keys([IssueKey("A-1"), IssueKey("A-404")])
    [page async for page in client.search_issues([ProjectKey("A")])]
    await client.get_link(link)
    await client.delete_link(link)
    await client.get_link(link)
    await client.aclose()
    assert set(contract.exchanges) >= {
        "POST /rest/api/3/issueLink",
        "GET /rest/api/3/issueLink/{linkId}",
        "DELETE /rest/api/3/issueLink/{linkId}",
        "POST /rest/api/3/issue/bulkfetch",
        "POST /rest/api/3/search/jql",
        "GET /rest/api/3/issueLinkType",
        "GET /rest/api/3/myself",
    }


async def test_the_body_of_a_creation_names_the_source_inward(cloud: JiraSite) -> None:
    """jira-facts section 1: `{inward: A, outward: B, Blocks}` makes "A blocks B"."""
    sent: list[dict[str, Any]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(httpx.Response(200, content=request.content).json())
        return httpx.Response(201)

    client = assured(JiraClient(access(cloud), http=httpx.MockTransport(handler)))
    await client.create_link(TypeId("7"), IssueId("11"), IssueId("12"))
    await client.aclose()
    assert sent == [
        {"type": {"id": "7"}, "inwardIssue": {"id": "11"}, "outwardIssue": {"id": "12"}}
    ]
