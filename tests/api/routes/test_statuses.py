"""The load of all connections in one call, and an issue's twins wherever they are."""

from app.api.auth.roles import V1
from tests.api.conftest import Api
from tests.api.flow import AB, Flow


async def test_statuses_are_those_of_each(flow: Flow, api: Api) -> None:
    await api.other()
    one = await flow.call("GET", f"{AB}/status")
    found = await flow.call("GET", f"{V1}/statuses")
    assert [it["connection"] for it in found["items"]] == ["ab", "other"]
    [ab, _] = found["items"]
    ages = {"oldest_seconds"}
    assert {k: v for k, v in ab.items() if k not in ages | {"connection"}} == {
        k: v for k, v in one.items() if k not in ages
    }
    first = await flow.call("GET", f"{V1}/statuses?limit=1")
    after = await flow.call("GET", f"{V1}/statuses?limit=1&cursor={first['next']}")
    assert [it["connection"] for it in after["items"]] == ["other"]


async def test_an_issue_is_found_wherever_the_token_sees(flow: Flow, api: Api) -> None:
    for key in ("A-1", "B-1"):
        [twin] = (await flow.call("GET", f"{V1}/twins?issue={key}"))["items"]
        assert (twin["connection"], twin["left"], twin["right"]) == ("ab", "A-1", "B-1")
    assert (await flow.call("GET", f"{V1}/twins?issue=A-99"))["items"] == []
    stranger = await api.stranger("viewer")
    assert (await stranger.get(f"{V1}/twins?issue=A-1")).json()["items"] == []
    listed = (await stranger.get(f"{V1}/statuses")).json()["items"]
    assert [it["connection"] for it in listed] == ["other"]
    assert (await stranger.get(f"{V1}/twins")).status_code == 422


async def test_changes_of_a_plan_are_chosen_by_issue_and_by_outcome(flow: Flow) -> None:
    await flow.mode("review")
    made = await flow.mirrored(("A-1", "Blocks", "A-2"), ("A-3", "Blocks", "A-4"))
    for link in made:
        flow.ann.unlink(link)
    await flow.compare()
    plan = await flow.sealed()
    at = f"{V1}/plans/{plan['id']}"
    of_one = await flow.call("GET", f"{at}?issue=B-4")
    assert [it["source"]["key"] for it in of_one["changes"]] == ["B-3"]
    assert of_one["counts"]["remove"] == 2
    assert (await flow.call("GET", f"{at}?undone=true"))["changes"] == []
    flow.ann.link("A-1", "Blocks", "A-2")  # so that its removal no longer holds
    await flow.call("POST", f"{at}/approval", {"digest": plan["digest"]})
    await flow.run()
    left = await flow.call("GET", f"{at}?undone=true")
    assert [it["source"]["key"] for it in left["changes"]] == ["B-1"]
    assert left["changes"][0]["result"].startswith("skipped:")
