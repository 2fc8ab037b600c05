"""What a connection has before it, in numbers: those that `next_step` says in a sentence."""

from app.api.auth.roles import V1
from tests.api.conftest import Api
from tests.api.flow import AB, Flow

NOTHING = {"creates": 0, "removes": 0, "held": 0, "plans": 0, "planned": []}


async def test_the_shadow_plan_is_counted_by_site_and_type(flow: Flow) -> None:
    assert await flow.call("GET", f"{AB}/outlook") == {"twins": 5, **NOTHING}
    flow.ann.link("A-1", "Blocks", "A-2")
    flow.ann.link("A-2", "Blocks", "A-3")
    await flow.compare()
    seen = await flow.call("GET", f"{AB}/outlook")
    assert (seen["creates"], seen["removes"]) == (2, 0)
    assert seen["planned"] == [{"site": "right", "type": "Blocks", "creates": 2, "removes": 0}]
    assert "create_only would make 2 links" in (await flow.call("GET", AB))["next_step"]


async def test_above_shadow_nothing_is_only_planned(flow: Flow) -> None:
    flow.ann.link("A-1", "Blocks", "A-2")
    await flow.compare()
    await flow.mode("review")
    assert (await flow.call("GET", f"{AB}/outlook"))["planned"] == []


async def test_nobody_else_is_told(flow: Flow, api: Api) -> None:
    stranger = await api.stranger("viewer")
    assert (await stranger.get(f"{AB}/outlook")).status_code == 404
    assert (await stranger.get(f"{V1}/connections/other/outlook")).json()["twins"] == 0
