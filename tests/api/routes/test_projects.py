"""Projects and our account's permissions in them are asked of Jira, not assumed."""

from typing import Any

import asyncpg
import httpx

from app.api.auth.roles import V1
from app.sandbox import Fault
from app.sandbox.issues import rename_project
from tests.api.conftest import Api, Jira, connection_body

AB = f"{V1}/connections/ab"


def found(answer: httpx.Response) -> set[tuple[str, str]]:
    return {(it.get("side", ""), it["code"]) for it in answer.json()["findings"]}


def with_projects(*keys: str, **changes: Any) -> dict[str, Any]:
    return connection_body(left={"site": "left", "projects": list(keys)}, **changes)


async def test_a_mistyped_project_is_refused_with_those_that_look_like_it(
    client: httpx.AsyncClient, sites: Jira
) -> None:
    put = await client.put(AB, json=with_projects("A", "AXX"))
    assert put.status_code == 422, put.text
    [error] = put.json()["errors"]
    assert error["pointer"] == "/left/projects/1"
    assert "AXX" in error["detail"]
    assert "AX" in error["detail"].partition(";")[2]
    assert (await client.get(AB)).status_code == 404


async def test_a_project_that_is_hidden_later_keeps_no_change_from_being_stored(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    connected.left.site.permit("twinlink", "BROWSE_PROJECTS", "A", allowed=False)
    put = await client.put(AB, json=connection_body(direction="left_to_right"))
    assert put.status_code == 200, put.text
    assert put.json()["revision"] == 2
    assert found(put) == {("left", "project_unseen")}


async def test_only_the_side_that_is_written_to_needs_link_issues(
    client: httpx.AsyncClient, sites: Jira
) -> None:
    for served, project in ((sites.left, "A"), (sites.right, "B")):
        served.site.permit("twinlink", "LINK_ISSUES", project, allowed=False)
    for direction, sides in (
        ("left_to_right", {"right"}),
        ("right_to_left", {"left"}),
        ("both", {"left", "right"}),
    ):
        put = await client.put(AB, json=connection_body(direction=direction))
        assert found(put) == {(side, "link_not_permitted") for side in sides}, direction


async def test_a_check_asks_about_the_projects_of_the_connections(
    client: httpx.AsyncClient, api: Api, connected: Jira
) -> None:
    await api.other()
    check = f"{V1}/sites/left/check"
    fine = await client.post(check)
    assert (fine.json()["ok"], fine.json()["findings"]) == (True, [])
    connected.left.site.permit("twinlink", "BROWSE_PROJECTS", "AX", allowed=False)
    seen = await client.post(check)
    assert (seen.json()["ok"], found(seen)) == (False, {("", "project_unseen")})
    assert "AX" in seen.json()["findings"][0]["detail"]


async def test_a_renamed_project_is_followed_and_named(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    """Also where its former key leads nowhere any more."""
    jira = connected.left.site
    project = jira.projects[jira.project_keys["A"]]
    rename_project(jira, project, "AZ", forgotten=True)
    seen = await client.post(f"{V1}/sites/left/check")
    assert (seen.json()["ok"], found(seen)) == (True, {("", "project_renamed")})
    assert "AZ" in seen.json()["findings"][0]["detail"]
    pins = await db.fetch("SELECT configured, project_id, key, former FROM project_pins")
    assert ("A", project.id, "AZ", ["A"]) in [tuple(it) for it in pins]


async def test_two_connections_do_not_cover_one_project_by_two_keys(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    jira = connected.left.site
    rename_project(jira, jira.projects[jira.project_keys["A"]], "AZ", forgotten=True)
    await client.post(f"{V1}/sites/left/check")
    put = await client.put(f"{V1}/connections/again", json=with_projects("AZ"))
    assert (put.status_code, put.json()["code"]) == (409, "projects_connected")
    jira.add_project("A")
    put = await client.put(f"{V1}/connections/again", json=with_projects("A"))
    assert put.status_code == 201, put.text


async def test_a_site_that_is_away_is_not_waited_for_and_a_finding_says_so(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    connected.right.site.faults.add(
        Fault("error_before", path="/(project|mypermissions)", status=503)
    )
    put = await client.put(AB, json=connection_body(direction="left_to_right"))
    assert put.status_code == 200
    assert found(put) == {("right", "projects_unchecked")}


async def test_projects_and_link_types_can_be_listed(
    client: httpx.AsyncClient, sites: Jira
) -> None:
    for site, keys in (("left", ["A", "AX"]), ("right", ["B", "BX"])):
        shown = (await client.get(f"{V1}/sites/{site}/projects")).json()["items"]
        assert [it["key"] for it in shown] == keys
        types = (await client.get(f"{V1}/sites/{site}/link_types")).json()["items"]
        assert {(it["name"], it["outward"]) for it in types} == {
            ("Blocks", "blocks"), ("Relates", "relates to"),
        }  # fmt: skip
    sites.left.site.faults.add(Fault("error_before", path="/project", status=503))
    assert (await client.get(f"{V1}/sites/left/projects")).status_code == 503


async def test_who_is_confined_sees_no_projects_of_a_site(api: Api, connected: Jira) -> None:
    stranger = await api.token("admin", connections=["ab"])
    assert (await stranger.get(f"{V1}/sites/left/projects")).status_code == 403
    assert (await stranger.get(f"{V1}/sites/left/link_types")).status_code == 200
