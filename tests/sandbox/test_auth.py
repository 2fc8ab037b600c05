"""Who is who: tokens, anonymity that looks like an answer, the gateway, identity, permissions."""

from __future__ import annotations

import httpx

from app.sandbox import Fault, JiraSite, SiteApp, token_of
from app.sandbox.people import person_on
from tests.sandbox.conftest import Connect, body_of

V3 = "/rest/api/3"


def bare(site: JiraSite, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=SiteApp(site))
    return httpx.AsyncClient(transport=transport, base_url=site.base_url, headers=headers)


async def test_myself_and_server_info(site: JiraSite, dc: JiraSite, connect: Connect) -> None:
    me = await connect(site).get(f"{V3}/myself")
    assert me.json()["accountId"] == site.user("twinlink").account_id
    assert me.headers["date"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert "x-arequestid" in me.headers
    info = (await connect(site).get(f"{V3}/serverInfo")).json()
    assert (info["deploymentType"], info["baseUrl"]) == ("Cloud", site.base_url)
    tenant = (await bare(site).get("/_edge/tenant_info")).json()
    assert tenant == {"cloudId": site.cloud_id}

    other = (await connect(dc).get("/rest/api/2/myself")).json()
    assert other["name"] == "twinlink"
    assert "accountId" not in other
    info = (await connect(dc).get("/rest/api/2/serverInfo")).json()
    assert info["deploymentType"] == "Server"
    assert (await bare(dc).get("/_edge/tenant_info")).status_code == 404


async def test_unknown_tokens_and_no_token(site: JiraSite) -> None:
    wrong = await bare(site, Authorization="Basic Ym9iOmJvYg==").get(f"{V3}/myself")
    assert wrong.status_code == 401
    assert wrong.headers["x-seraph-loginreason"] == "AUTHENTICATED_FAILED"
    async with bare(site) as nobody:
        assert (await nobody.get(f"{V3}/myself")).status_code == 401
        assert (await nobody.get(f"{V3}/issue/A-1")).status_code == 404
        assert (await nobody.post(f"{V3}/issueLink", json=body_of("A-1", "A-2"))).status_code == 401
        search = await nobody.get(f"{V3}/search/jql", params={"jql": "project = A"})
        assert (search.status_code, search.json()["issues"]) == (200, [])


async def test_an_expired_token_answers_200_as_nobody(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    credential = site.credentials[token_of(site, "twinlink")]
    credential.expired = True
    body = {"issueIdsOrKeys": ["A-1"]}
    made = await client.post(f"{V3}/issue/bulkfetch", json=body)
    assert (made.status_code, made.json()["issues"]) == (200, [])
    assert made.headers["x-seraph-loginreason"] == "AUTHENTICATED_FAILED"
    credential.on_failure = "unauthorized"
    assert (await client.post(f"{V3}/issue/bulkfetch", json=body)).status_code == 401


async def test_anonymous_fault_hits_one_call(site: JiraSite, connect: Connect) -> None:
    link = person_on(site, "ann").link("A-1", "Blocks", "A-2")
    fault = site.faults.add(Fault("anonymous", path="^/issueLink/", times=1))
    client = connect(site)
    assert (await client.get(f"{V3}/issueLink/{link.id}")).status_code == 404
    assert (await client.get(f"{V3}/issueLink/{link.id}")).status_code == 200
    assert fault.hits == 1


async def test_scoped_tokens_need_the_gateway(site: JiraSite) -> None:
    token = site.add_token("twinlink", scoped=True, scopes=["read:jira-work", "read:jira-user"])
    gateway = f"/ex/jira/{site.cloud_id}{V3}"
    async with bare(site, Authorization=f"Bearer {token}") as client:
        assert (await client.get(f"{V3}/myself")).status_code == 401
        me = await client.get(f"{gateway}/myself")
        assert me.status_code == 200
        assert f"/ex/jira/{site.cloud_id}/" in me.json()["self"]
        info = (await client.get(f"{gateway}/serverInfo")).json()
        assert info["baseUrl"] == site.base_url
        refused = await client.post(f"{gateway}/issueLink", json=body_of("A-1", "A-2"))
        assert (refused.status_code, refused.json()["message"]) == (
            401,
            "Unauthorized; scope does not match",
        )
        assert (await client.get(f"/ex/jira/0{V3}/myself")).status_code == 404


async def test_context_path_of_data_center() -> None:
    site = JiraSite("intra", "datacenter", context="/jira")
    site.add_user("twinlink")
    token = site.add_token("twinlink")
    async with bare(site, Authorization=f"Bearer {token}") as client:
        assert (await client.get("http://intra/jira/rest/api/2/myself")).status_code == 200
        assert (await client.get("http://intra/rest/api/2/myself")).status_code == 404


async def test_projects_fields_and_permissions(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    found = (await client.get(f"{V3}/project/search?keys=A&maxResults=1")).json()
    assert [project["key"] for project in found["values"]] == ["A"]
    assert [one["key"] for one in (await client.get(f"{V3}/project")).json()] == ["A", "X"]
    fields = (await client.get(f"{V3}/field")).json()
    assert any(field["name"] == "Twin" and field["custom"] for field in fields)

    site.permit("twinlink", "LINK_ISSUES", "A", allowed=False)
    query = {"permissions": "BROWSE_PROJECTS,LINK_ISSUES,ADMINISTER", "projectKey": "A"}
    made = (await client.get(f"{V3}/mypermissions", params=query)).json()["permissions"]
    assert {name: one["havePermission"] for name, one in made.items()} == {
        "BROWSE_PROJECTS": True,
        "LINK_ISSUES": False,
        "ADMINISTER": False,
    }
    assert (await client.get(f"{V3}/mypermissions")).status_code == 400
    site.permit("twinlink", "BROWSE_PROJECTS", "A", allowed=False)
    assert (await client.get(f"{V3}/project/A")).status_code == 404
    assert (await client.get(f"{V3}/mypermissions", params=query)).status_code == 404


async def test_link_types_need_an_administrator(site: JiraSite, connect: Connect) -> None:
    body = {"name": "Causes", "inward": "is caused by", "outward": "causes"}
    root = connect(site, "root")
    assert (await connect(site).post(f"{V3}/issueLinkType", json=body)).status_code == 404
    made = await root.post(f"{V3}/issueLinkType", json=body)
    assert made.status_code == 201
    assert (await root.post(f"{V3}/issueLinkType", json=body)).status_code == 404
    shown = (await root.get(f"{V3}/issueLinkType/{made.json()['id']}")).json()
    assert (shown["inward"], shown["outward"]) == ("is caused by", "causes")


async def test_requests_are_counted(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    mark = len(site.requests.entries)
    await client.get(f"{V3}/issue/A-1")
    await client.get(f"{V3}/issue/A-2")
    await client.get(f"{V3}/issueLink/1")
    assert site.requests.count("GET", "/issue/{issue}", since=mark) == 2
    assert site.requests.counts["GET /issueLink/{id}"] == 1
    assert site.requests.entries[-1].status == 404
    assert site.requests.entries[-1].account == "twinlink"


async def test_odd_requests(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    assert (await client.get(f"{V3}/issue/A-1", params={"fields": ""})).status_code == 200
    assert (await client.put(f"{V3}/issue/A-1", content=b"x")).status_code == 415
    headers = {"content-type": "application/json"}
    broken = await client.put(f"{V3}/issue/A-1", content=b"{", headers=headers)
    assert broken.status_code == 400
    assert (await client.get("/rest/other")).status_code == 404
    assert (await bare(site).get(f"{V3}/nope")).status_code == 404
