"""Search on both flavours, and the JQL that synchronisers send."""

from __future__ import annotations

import pytest

from app.sandbox import JiraSite, Lag, ManualClock, Refusal
from app.sandbox.jql.query import parse
from app.sandbox.people import person_on
from tests.sandbox.conftest import Connect

V3 = "/rest/api/3"


def keys(site: JiraSite, text: str, user: str = "twinlink") -> list[str]:
    return [issue.key for issue in parse(text).run(site, site.user(user))]


async def test_search_jql_pages_by_token(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    found: list[str] = []
    body: dict[str, object] = {"jql": "project = A ORDER BY key ASC", "maxResults": 2}
    while True:
        page = (await client.post(f"{V3}/search/jql", json=body)).json()
        found += [issue["id"] for issue in page["issues"]]
        assert all(set(issue) == {"id"} for issue in page["issues"])
        if page["isLast"]:
            assert "nextPageToken" not in page
            break
        body["nextPageToken"] = page["nextPageToken"]
    assert found == ["10000", "10001", "10002", "10003", "10004"]
    body["jql"] = "project = X"
    assert (await client.post(f"{V3}/search/jql", json=body)).status_code == 400


async def test_search_jql_with_fields(site: JiraSite, connect: Connect) -> None:
    person_on(site, "ann").link("A-1", "Blocks", "A-2")
    query = {"jql": "key = A-1", "fields": "issuelinks,updated", "expand": "changelog"}
    made = (await connect(site).get(f"{V3}/search/jql", params=query)).json()["issues"][0]
    assert made["fields"]["issuelinks"][0]["outwardIssue"]["key"] == "A-2"
    assert made["changelog"]["total"] == 1


async def test_unbounded_and_broken_queries(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    bad = (
        "",
        "order by key",
        "project =",
        "project = NOPE",
        "key in (A-1, A-99)",
        "x ~ ~",
        "y = 1",
    )
    for text in bad:
        answer = await client.get(f"{V3}/search/jql", params={"jql": text})
        assert answer.status_code == 400, text
    assert (await client.get(f"{V3}/search", params={"jql": "project = A"})).status_code == 410
    answer = await client.post(f"{V3}/search/approximate-count", json={"jql": "project = A"})
    assert answer.json() == {"count": 5}


@pytest.mark.parametrize("validate", ["strict", True, "true", None])
async def test_one_hidden_issue_blinds_a_data_center_search(
    dc: JiraSite, connect: Connect, validate: object
) -> None:
    person_on(dc, "ann").hide("A-2", "twinlink")
    body: dict[str, object] = {"jql": "id in (10000, 10001)", "fields": ["issuelinks"]}
    if validate is not None:
        body["validateQuery"] = validate
    answer = await connect(dc).post("/rest/api/2/search", json=body)
    assert answer.status_code == 400
    assert "10001" in answer.json()["errorMessages"][0]


@pytest.mark.parametrize("validate", ["warn", "none", False, "false"])
async def test_unless_it_is_told_not_to_validate(
    dc: JiraSite, connect: Connect, validate: object
) -> None:
    person_on(dc, "ann").hide("A-2", "twinlink")
    body = {"jql": "id in (10000, 10001)", "validateQuery": validate, "expand": ["changelog"]}
    made = (await connect(dc).post("/rest/api/2/search", json=body)).json()
    assert [issue["key"] for issue in made["issues"]] == ["A-1"]
    assert (made["total"], made["startAt"]) == (1, 0)
    assert ("warningMessages" in made) == (validate == "warn")


async def test_data_center_pages_by_offset(dc: JiraSite, connect: Connect) -> None:
    query = {"jql": "project = A order by id", "startAt": "3", "maxResults": "10", "fields": "key"}
    made = (await connect(dc).get("/rest/api/2/search", params=query)).json()
    assert [issue["key"] for issue in made["issues"]] == ["A-4", "A-5"]
    assert made["total"] == 5
    for gone in ("search/jql", "issue/bulkfetch", "changelog/bulkfetch"):
        assert (await connect(dc).post(f"/rest/api/2/{gone}", json={})).status_code in (404, 405)
    assert (await connect(dc).get("/rest/api/3/myself")).status_code == 404


def test_dates_are_read_in_the_callers_zone_to_the_minute(
    site: JiraSite, clock: ManualClock
) -> None:
    clock.set(1_767_225_600 + 3600)  # 2026-01-01 01:00:00 UTC
    site.user("bob").time_zone = "Asia/Kolkata"
    clock.tick(30)
    person_on(site, "ann").edit("A-2", summary="Later")
    assert keys(site, 'updated >= "2026/01/01 01:00"') == ["A-2"]
    assert keys(site, 'updated >= "2026/01/01 01:01"') == []
    assert keys(site, 'updated >= "2026-01-01 06:30"', "bob") == ["A-2"]
    assert keys(site, 'updated >= "2026-01-01 06:31"', "bob") == []
    assert keys(site, "updated >= -1m and project in (A, X)") == ["A-2"]
    assert keys(site, f"updated > {site.issue('A-2').updated - 1}") == ["A-2"]


def test_search_lag_knows_the_former_time(site: JiraSite, clock: ManualClock) -> None:
    site.lag = Lag(search=30)
    clock.tick(600)
    person_on(site, "ann").edit("A-2", summary="Later")
    assert keys(site, "updated >= -5m") == []
    fresh = frozenset({site.issue("A-2").id})
    found = parse("updated >= -5m").run(site, site.user("ann"), fresh)
    assert [issue.key for issue in found] == ["A-2"]
    clock.tick(31)
    assert keys(site, "updated >= -5m") == ["A-2"]


def test_clauses(site: JiraSite) -> None:
    field = next(iter(site.custom_fields.values()))
    person_on(site, "ann").edit("A-3", **{field.id: "B-9"})
    assert keys(site, f"cf[{field.number}] is not EMPTY") == ["A-3"]
    assert keys(site, '"Twin" = "B-9" AND project = A') == ["A-3"]
    assert keys(site, "project = A AND Twin is EMPTY AND NOT key in (A-1, A-2)") == ["A-5", "A-4"]
    assert keys(site, "(key = A-1 OR issuekey = 10001) ORDER BY id") == ["A-1", "A-2"]
    assert keys(site, "project != A") == ["X-1"]
    assert keys(site, "summary ~ elsewhere") == ["X-1"]
    person_on(site, "ann").archive("A-1")
    assert "A-1" not in keys(site, "project = A")
    with pytest.raises(Refusal):
        parse("project = A extra")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("search/jql", {"jql": "project = A", "startAt": 0}),
        ("search/jql", {"jql": "project = A", "expand": ["changelog"]}),
        ("search/jql", {"jql": "project = A", "fields": "issuelinks"}),
        ("search/jql", {"jql": "project = A", "reconcileIssues": list(range(51))}),
        ("issue/bulkfetch", {"issueIdsOrKeys": ["A-1"], "ids": []}),
        ("issue/bulkfetch", {"issueIdsOrKeys": ["A-1"], "expand": "changelog"}),
        ("issueLink", {"type": {"name": "Blocks"}, "from": "A-1"}),
    ],
)
async def test_strange_bodies_are_refused(
    site: JiraSite, connect: Connect, path: str, body: dict[str, object]
) -> None:
    assert (await connect(site).post(f"{V3}/{path}", json=body)).status_code == 400


async def test_data_center_names_the_strange_field(dc: JiraSite, connect: Connect) -> None:
    body = {"jql": "project = A", "fieldsByKeys": True}
    answer = await connect(dc).post("/rest/api/2/search", json=body)
    assert answer.status_code == 400
    assert "fieldsByKeys" in answer.json()["errorMessages"][0]
