"""Connections: a configuration that names every mistake, and revisions of it."""

from typing import Any

import asyncpg
import httpx

from app.api.auth.roles import V1
from app.sandbox import Fault
from tests.api.conftest import Jira, connection_body

AB = f"{V1}/connections/ab"


def pointers(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "validation"
    return {error["pointer"] for error in answer.json()["errors"]}


async def test_a_new_connection_is_in_shadow_with_defaults(
    client: httpx.AsyncClient, sites: Jira
) -> None:
    put = await client.put(AB, json=connection_body())
    assert put.status_code == 201
    assert put.headers["Location"] == AB
    assert put.headers["ETag"] == '"1"'
    shown = put.json()
    assert (shown["revision"], shown["mode"], shown["paused"]) == (1, "shadow", False)
    assert "/twins" in shown["next_step"]
    assert shown["on_mirror_removed"] == "detach"
    assert shown["on_issue_deleted"] == "keep"
    assert shown["link_types"] == [{"left": "Blocks", "right": "Blocks", "reversed": False}]
    assert shown["twins"] == {"source": "api", "side": None, "field": None}
    assert shown["guard"] == {
        "hour": {"share": 0.01, "min": 10, "max": 100},
        "day": {"share": 0.05, "min": 20, "max": 500},
        "state": "armed",
        "tripped_at": None,
        "reason": None,
        "resets": {"limit": 3, "used": 0, "next_at": None, "last_at": None, "last_by": None},
        "windows": [
            {"scope": "hour", "seconds": 3600, "limit": 10, "used": 0},
            {"scope": "day", "seconds": 86400, "limit": 20, "used": 0},
            {"scope": "left_site_hour", "seconds": 3600, "limit": 200, "used": 0},
            {"scope": "right_site_hour", "seconds": 3600, "limit": 200, "used": 0},
            {"scope": "unpaired_hour", "seconds": 3600, "limit": 10, "used": 0},
            {"scope": "unpaired_day", "seconds": 86400, "limit": 20, "used": 0},
        ],
    }
    get = (await client.get(AB)).json()
    assert get == {name: shown[name] for name in get}


async def test_an_identical_body_is_the_same_revision(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    again = await client.put(AB, json=connection_body())
    assert again.status_code == 200
    assert again.headers["ETag"] == '"1"'
    by_id = connection_body(link_types=[{"left": "blocks", "right": "10000"}])
    assert (await client.put(AB, json=by_id)).json()["revision"] == 1
    assert await db.fetchval("SELECT count(*) FROM revisions") == 1


async def test_every_change_is_a_revision(client: httpx.AsyncClient, connected: Jira) -> None:
    changed = connection_body(direction="left_to_right")
    put = await client.put(AB, json=changed)
    assert put.status_code == 200
    assert put.json()["revision"] == 2
    await client.put(AB, json=connection_body())
    listed = (await client.get(f"{AB}/revisions")).json()["items"]
    assert [r["revision"] for r in listed] == [3, 2, 1]
    assert [r["active"] for r in listed] == [True, False, False]
    assert [r["config"]["direction"] for r in listed] == ["both", "left_to_right", "both"]
    assert {r["author"] for r in listed} == {"bootstrap"}
    first = (await client.get(f"{AB}/revisions", params={"limit": 2})).json()
    rest = await client.get(f"{AB}/revisions", params={"limit": 2, "cursor": first["next"]})
    assert [r["revision"] for r in rest.json()["items"]] == [1]
    assert rest.json()["next"] is None


async def test_a_put_replaces_the_whole(client: httpx.AsyncClient, connected: Jira) -> None:
    full = connection_body(
        on_mirror_removed="recreate",
        guard={"hour": {"share": 0.1, "min": 5, "max": 50}},
    )
    assert (await client.put(AB, json=full)).json()["guard"]["hour"]["max"] == 50
    plain = (await client.put(AB, json=connection_body())).json()
    assert plain["on_mirror_removed"] == "detach"
    assert plain["guard"]["hour"] == {"share": 0.01, "min": 10, "max": 100}


async def test_if_match_is_the_revision(client: httpx.AsyncClient, connected: Jira) -> None:
    changed = connection_body(direction="left_to_right")
    stale = await client.put(AB, json=changed, headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    ok = await client.put(AB, json=changed, headers={"If-Match": '"1"'})
    assert ok.status_code == 200
    assert ok.headers["ETag"] == '"2"'
    new = await client.put(f"{V1}/connections/new", json=changed, headers={"If-Match": "*"})
    assert new.status_code == 412


CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({"left": {"site": "nosite", "projects": ["A"]}}, {"/left/site"}),
    ({"left": {"site": "left", "projects": []}}, {"/left/projects"}),
    ({"left": {"site": "left", "projects": ["A", "A"]}}, {"/left/projects"}),
    ({"left": {"site": "left", "projects": ["a"]}}, {"/left/projects/0"}),
    ({"left": {"site": "left", "projects": ["A", "A B"]}}, {"/left/projects/1"}),
    ({"left": {"site": "left", "projects": ["A\n"]}}, {"/left/projects/0"}),
    ({"left": {"site": "left", "projects": "A"}}, {"/left/projects"}),
    ({"left": {"site": "right", "projects": ["B"]}}, {"/right/site"}),
    ({"left": {"projects": ["A"]}}, {"/left/site"}),
    ({"direction": "up"}, {"/direction"}),
    ({"direction": None}, {"/direction"}),
    ({"link_types": []}, {"/link_types"}),
    ({"link_types": [{"left": "Nope", "right": "Blocks"}]}, {"/link_types/0/left"}),
    (
        {"link_types": [{"left": "Blocks", "right": "Nope"}, {"left": "No", "right": "Relates"}]},
        {"/link_types/0/right", "/link_types/1/left"},
    ),
    ({"link_types": [{"left": "Blocks", "right": "Relates"}]}, {"/link_types/0"}),
    (
        {"link_types": [{"left": "Relates", "right": "Relates", "reversed": True}]},
        {"/link_types/0/reversed"},
    ),
    (
        {"link_types": [{"left": "Blocks", "right": "Blocks"}] * 2},
        {f"/link_types/{at}/{side}" for at in (0, 1) for side in ("left", "right")},
    ),
    ({"link_types": [{"left": "\x00", "right": "Blocks"}]}, {"/link_types/0/left"}),
    ({"guard": {"hour": {"share": 0.0009}}}, {"/guard/hour/share"}),
    ({"guard": {"hour": {"share": 0.51}}}, {"/guard/hour/share"}),
    ({"guard": {"hour": {"max": 501}}}, {"/guard/hour/max"}),
    ({"guard": {"day": {"max": 2001}}}, {"/guard/day/max"}),
    ({"guard": {"day": {"min": 0}}}, {"/guard/day/min"}),
    ({"guard": {"hour": {"min": 101}}}, {"/guard/hour/min"}),
    ({"guard": {"hour": {"share": True}}}, {"/guard/hour/share"}),
    ({"guard": {"week": {}}}, {"/guard/week"}),
    ({"guard": {"enabled": False}}, {"/guard/enabled"}),
    ({"twins": {"source": "field"}}, {"/twins/side", "/twins/field"}),
    ({"twins": {"source": "api", "side": "left"}}, {"/twins/side"}),
    ({"twins": {"source": "field", "side": "left", "field": "summary"}}, {"/twins/field"}),
    ({"twins": {"source": "magic"}}, {"/twins"}),
    ({"on_mirror_removed": "delete"}, {"/on_mirror_removed"}),
    ({"mode": "live"}, {"/mode"}),
]


async def test_every_mistake_is_named(client: httpx.AsyncClient, sites: Jira) -> None:
    for changes, expected in CASES:
        answer = await client.put(AB, json=connection_body(**changes))
        assert pointers(answer) == expected, changes
    assert (await client.get(AB)).status_code == 404


async def test_all_mistakes_are_named_at_once(client: httpx.AsyncClient, sites: Jira) -> None:
    body = connection_body(
        link_types=[{"left": "Nope", "right": "Blocks"}],
        guard={"hour": {"share": 0.9}, "day": {"max": 9999}},
    )
    found = pointers(await client.put(AB, json=body))
    assert found == {"/link_types/0/left", "/guard/hour/share", "/guard/day/max"}


async def test_numbers_that_are_none(client: httpx.AsyncClient, sites: Jira) -> None:
    for text in ("NaN", "Infinity", "1e999"):
        content = (
            b'{"left": {"site": "left", "projects": ["A"]}, "direction": "both",'
            b' "right": {"site": "right", "projects": ["B"]},'
            b' "link_types": [{"left": "Blocks", "right": "Blocks"}],'
            b' "guard": {"hour": {"share": ' + text.encode() + b"}}}"
        )
        answer = await client.put(AB, content=content, headers={"Content-Type": "application/json"})
        assert pointers(answer) == {"/guard/hour/share"}


async def test_a_new_link_type_is_asked_for(client: httpx.AsyncClient, sites: Jira) -> None:
    for served in (sites.left, sites.right):
        served.site.add_link_type("Causes", "causes", "is caused by")
    body = connection_body(link_types=[{"left": "Causes", "right": "Causes"}])
    assert (await client.put(AB, json=body)).status_code == 201


async def test_a_site_that_is_away_is_said_to_be(client: httpx.AsyncClient, sites: Jira) -> None:
    sites.left.site.faults.add(Fault("error_before", status=503))
    assert (await client.put(AB, json=connection_body())).status_code == 201
    body = connection_body(link_types=[{"left": "Causes", "right": "Blocks"}])
    away = await client.put(AB, json=body)
    assert away.status_code == 503
    assert away.json()["code"] == "site_unavailable"
    assert "Retry-After" in away.headers


async def test_the_same_projects_are_connected_once(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    left, right = connection_body()["left"], connection_body()["right"]
    more_left = {"site": "left", "projects": ["AX", "A"]}
    crossed = {"left": right, "right": left}
    for changes in ({}, {"left": more_left}, crossed):
        answer = await client.put(f"{V1}/connections/cd", json=connection_body(**changes))
        assert answer.status_code == 409
        assert answer.json()["code"] == "projects_connected"
    other = connection_body(left={"site": "left", "projects": ["AX"]})
    assert (await client.put(f"{V1}/connections/cd", json=other)).status_code == 201
    widened = await client.put(f"{V1}/connections/cd", json=connection_body(left=more_left))
    assert widened.status_code == 409
    await client.delete(AB)
    assert (
        await client.put(f"{V1}/connections/cd", json=connection_body(left=more_left))
    ).status_code == 200


async def test_a_connection_keeps_its_sites(client: httpx.AsyncClient, connected: Jira) -> None:
    body = connection_body()
    body["left"], body["right"] = body["right"], body["left"]
    answer = await client.put(AB, json=body)
    assert answer.status_code == 409
    assert answer.json()["code"] == "sites_fixed"
    assert {e["pointer"] for e in answer.json()["errors"]} == {"/left/site", "/right/site"}


async def test_a_deleted_connection_frees_its_name(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    await client.put(AB, json=connection_body(direction="left_to_right"))
    assert (await client.delete(AB)).json() == {"released": 0}
    assert (await client.get(AB)).status_code == 404
    assert (await client.delete(AB)).status_code == 404
    again = await client.put(AB, json=connection_body())
    assert again.status_code == 201
    assert again.json()["revision"] == 1


async def test_a_change_of_scope_looks_at_all_twins(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    pair = {"twins": [{"left": "A-1", "right": "B-1"}]}
    assert (await client.post(f"{AB}/twins", json=pair)).status_code == 200
    await client.put(AB, json=connection_body(on_mirror_removed="recreate"))
    assert (await client.get(f"{V1}/resyncs")).json()["items"] == []
    await client.put(AB, json=connection_body(left={"site": "left", "projects": ["A", "AX"]}))
    [resync] = (await client.get(f"{V1}/resyncs")).json()["items"]
    assert (resync["cause"], resync["connection"], resync["issues_total"]) == ("revision", "ab", 1)


async def test_a_type_that_was_renamed_resolves_by_its_new_name(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    connected.left.site.link_type("Blocks").name = "Blockade"
    body = connection_body(link_types=[{"left": "Blockade", "right": "Blocks"}])
    put = await client.put(AB, json=body)
    assert put.status_code == 200
    assert put.json()["link_types"][0]["left"] == "Blockade"
