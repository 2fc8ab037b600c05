"""Link types that their site has renamed since anything here asked for them."""

import httpx

from app.api.auth.roles import V1
from app.sandbox import Fault, JiraSite
from tests.api.conftest import Jira, connection_body
from tests.api.flow import Flow

AB = f"{V1}/connections/ab"


def rename(site: JiraSite) -> None:
    """Blocks is called Stops from now on, and worded so."""
    kind = site.link_type("Blocks")
    kind.name, kind.outward, kind.inward = "Stops", "stops", "is stopped by"


async def test_a_connection_is_made_by_the_new_name(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    rename(connected.right.site)
    body = connection_body(link_types=[{"left": "Blocks", "right": "Stops"}])
    put = await client.put(AB, json=body)
    assert put.status_code == 200, put.text
    assert put.json()["link_types"] == [{"left": "Blocks", "right": "Stops", "reversed": False}]
    assert put.json()["revision"] == 1, "the same types as before"
    assert not put.json()["findings"]


async def test_the_name_of_before_is_understood_and_the_new_one_said(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    rename(connected.right.site)
    put = await client.put(AB, json=connection_body())
    assert put.status_code == 200, put.text
    assert put.json()["link_types"][0]["right"] == "Stops"
    found = [(it["side"], it["code"], it["detail"]) for it in put.json()["findings"]]
    assert found == [("right", "link_type_renamed", "Blocks is called Stops now: name it so")]
    types = (await client.get(f"{V1}/sites/right/link_types")).json()["items"]
    was = {it["name"]: it["former_names"] for it in types}
    assert was["Stops"] == ["Blocks"]


async def test_another_type_that_has_the_name_now_is_the_one_that_is_meant(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    rename(connected.right.site)
    made = connected.right.site.add_link_type("Blocks", "blocks", "is blocked by")
    put = await client.put(AB, json=connection_body())
    assert put.json()["revision"] == 2
    assert not put.json()["findings"]
    types = (await client.get(f"{V1}/sites/right/link_types")).json()["items"]
    assert {it["id"]: it["name"] for it in types}[str(made.id)] == "Blocks"


async def test_a_site_that_is_away_is_known_as_it_was(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    connected.right.site.faults.add(Fault("error_before", status=503))
    put = await client.put(AB, json=connection_body(direction="left_to_right"))
    assert put.status_code == 200, put.text


async def test_explain_says_the_new_name_and_what_it_was(flow: Flow) -> None:
    await flow.mode("live")
    await flow.mirrored(("A-1", "Blocks", "A-2"))
    rename(flow.jira.right.site)
    client = await flow.ctx.sites.client(await _site(flow))
    client._assurance.drop()  # a minute later
    [link] = (await flow.call("GET", f"{AB}/explain?issue=A-1"))["items"]
    assert (link["right"]["type"], link["right"]["type_was"]) == ("Stops", ["Blocks"])
    assert (link["left"]["type"], link["left"]["type_was"]) == ("Blocks", [])
    shown = await flow.call("GET", AB)
    assert shown["link_types"] == [{"left": "Blocks", "right": "Stops", "reversed": False}]


async def test_what_is_not_mapped_is_explained_by_its_name(flow: Flow) -> None:
    flow.jira.left.site.add_link_type("Tests", "tests", "is tested by")
    flow.ann.link("A-1", "Tests", "A-2")
    client = await flow.ctx.sites.client(await _site(flow, "left"))
    client._assurance.drop()
    [link] = (await flow.call("GET", f"{AB}/explain?issue=A-1"))["items"]
    assert (link["outcome"], link["left"]["type"]) == ("not_mapped", "Tests")


async def _site(flow: Flow, name: str = "right") -> int:
    found: int = await flow.db.fetchval("SELECT id FROM sites WHERE name = $1", name)
    return found
