"""A person unpairs more than the guard allows within an hour: an approver decides."""

from typing import Any

from app.api.auth.roles import V1
from tests.api.conftest import connection_body
from tests.api.flow import AB, Flow

LINKS = [("A-1", "Blocks", "A-2"), ("A-3", "Blocks", "A-4")]
ONE = {"share": 0.001, "min": 1, "max": 1}


async def unpaired(flow: Flow) -> list[dict[str, Any]]:
    """Both pairs of two links, one after the other: the second is one too many."""
    await flow.mode("live")
    await flow.mirrored(*LINKS)
    await flow.call("PUT", AB, connection_body(guard={"hour": ONE, "day": ONE}))
    found = {it["left"]: it["id"] for it in (await flow.call("GET", f"{AB}/twins"))["items"]}
    return [await flow.call("DELETE", f"{AB}/twins/{found[key]}") for key in ("A-1", "A-2", "A-3")]


async def test_what_is_too_much_waits_for_an_approver(flow: Flow) -> None:
    first, second, third = await unpaired(flow)
    assert first == {"released": 1, "held": 0, "plan_id": None}
    assert second == {"released": 0, "held": 0, "plan_id": None}, "its link is released already"
    assert (third["released"], third["held"]) == (0, 1)

    status = await flow.call("GET", f"{AB}/status")
    assert (status["held"], status["unpairing"]) == (1, 1)
    [incident] = (await flow.call("GET", f"{V1}/incidents"))["items"]
    assert (incident["kind"], incident["connection"]) == ("unpairings_held", "ab")
    plan = await flow.sealed()
    assert plan["id"] == third["plan_id"]
    assert (plan["kind"], plan["counts"]["release"]) == ("unpairings", 1)
    [change] = plan["changes"]
    assert (change["operation"], change["reason"]) == ("release", "unpaired")
    assert change["evidence"]["pair"] == "A-3 = B-3"
    shown = await flow.client.get(f"{V1}/plans/{plan['id']}", params={"format": "text"})
    assert "1 to release (pairs to be let go; no link is removed)" in shown.text

    await flow.call("POST", f"{V1}/plans/{plan['id']}/approval", {"digest": plan["digest"]})
    await flow.run()
    await flow.run()
    done = await flow.call("GET", f"{V1}/plans/{plan['id']}")
    assert (done["status"], done["changes"][0]["result"]) == ("applied", "applied")
    assert len(flow.mirrors) == 2, "no link is removed"
    left = [it["left"] for it in (await flow.call("GET", f"{AB}/twins"))["items"]]
    assert left == ["A-4", "A-5"]


async def test_paired_again_it_goes_on(flow: Flow) -> None:
    *_, third = await unpaired(flow)
    pair = {"twins": [{"left": "A-3", "right": "B-3"}]}
    [again] = (await flow.call("POST", f"{AB}/twins", pair))["items"]
    assert again["status"] == "paired"
    await flow.run()
    links = (await flow.call("GET", f"{AB}/links?state=managed"))["items"]
    assert [it["left"]["source"]["key"] for it in links] == ["A-3"]
    await flow.db.execute("UPDATE plans SET created_at = created_at - interval '31 seconds'")
    await flow.run()
    plan = await flow.call("GET", f"{V1}/plans/{third['plan_id']}")
    assert plan["status"] == "expired"


async def test_a_rejection_keeps_the_pair(flow: Flow) -> None:
    await unpaired(flow)
    plan = await flow.sealed()
    await flow.call("POST", f"{V1}/plans/{plan['id']}/rejection", {"digest": plan["digest"]})
    await flow.run()
    links = (await flow.call("GET", f"{AB}/links?state=managed"))["items"]
    assert [it["left"]["source"]["key"] for it in links] == ["A-3"]
