"""Approve, reject, expire, second owner: a person decides about exactly what was shown."""

from typing import Any

import pytest

from app.api.auth.roles import V1
from app.sync.incidents import watch
from tests.api.conftest import connection_body
from tests.api.flow import AB, Flow

CHAIN = [("A-1", "Blocks", "A-2"), ("A-2", "Blocks", "A-3")]


async def held_plan(flow: Flow) -> dict[str, Any]:
    """Two mirrors whose origins are gone, in review: a sealed plan."""
    await flow.mode("review")
    for origin in await flow.mirrored(*CHAIN):
        flow.ann.unlink(origin)
    await flow.compare()
    return await flow.sealed()


async def test_an_approval_applies_exactly_this_plan(flow: Flow) -> None:
    plan = await held_plan(flow)
    url = f"{V1}/plans/{plan['id']}"
    other = flow.ann.link("A-4", "Blocks", "A-5")
    await flow.compare()
    flow.ann.unlink(other)
    await flow.compare()
    assert len(flow.mirrors) == 3
    approved = await flow.call(
        "POST", f"{url}/approval", {"digest": plan["digest"], "note": "looked at both"}
    )
    assert (approved["status"], approved["note"]) == ("applying", "looked at both")
    assert (approved["decided_by"], approved["approved_by"]) == ("bootstrap", None)
    assert approved["changes"] == plan["changes"]
    await flow.run()
    shown = await flow.call("GET", url)
    assert shown["status"] == "applied"
    assert {change["result"].partition(":")[0] for change in shown["changes"]} == {"applied"}
    assert len(flow.mirrors) == 1, "what came later waits in the next plan"
    audit = (await flow.call("GET", f"{V1}/audit?plan={plan['id']}"))["items"]
    assert len(audit) == 4, "each removal's intent and outcome name the plan"


async def test_what_no_longer_holds_is_skipped_and_said(flow: Flow) -> None:
    plan = await held_plan(flow)
    flow.ann.link("A-1", "Blocks", "A-2")
    await flow.call("POST", f"{V1}/plans/{plan['id']}/approval", {"digest": plan["digest"]})
    await flow.run()
    shown = await flow.call("GET", f"{V1}/plans/{plan['id']}")
    results = {it["source"]["key"]: it["result"].partition(":")[0] for it in shown["changes"]}
    assert results == {"B-1": "skipped", "B-2": "applied"}
    assert len(flow.mirrors) == 1


async def test_a_rejection_keeps_the_links_for_good(flow: Flow) -> None:
    plan = await held_plan(flow)
    url = f"{V1}/plans/{plan['id']}"
    rejected = await flow.call("POST", f"{url}/rejection", {"digest": plan["digest"]})
    assert rejected["status"] == "rejected"
    await flow.mode("live")
    await flow.compare()
    await flow.compare()
    assert len(flow.mirrors) == 2
    links = (await flow.call("GET", f"{AB}/links"))["items"]
    assert {link["state"] for link in links} == {"detached"}


async def test_an_approval_is_revoked_while_changes_are_open(flow: Flow) -> None:
    plan = await held_plan(flow)
    url = f"{V1}/plans/{plan['id']}"
    early = await flow.client.delete(f"{url}/approval")
    assert (early.status_code, early.json()["code"]) == (409, "plan_not_approved")
    await flow.call("POST", f"{url}/approval", {"digest": plan["digest"]})
    revoked = await flow.call("DELETE", f"{url}/approval?note=wrong+day")
    assert (revoked["status"], revoked["decided_by"]) == ("held", None)
    assert "wrong day" in revoked["note"]
    await flow.run()
    assert len(flow.mirrors) == 2
    await flow.call("POST", f"{url}/approval", {"digest": plan["digest"]})
    await flow.run()
    assert (await flow.call("GET", url))["status"] == "applied"
    over = await flow.client.delete(f"{url}/approval")
    assert (over.status_code, over.json()["code"]) == (409, "plan_not_approved")


async def test_a_decision_is_made_once(flow: Flow) -> None:
    plan = await held_plan(flow)
    body = {"digest": plan["digest"]}
    await flow.call("POST", f"{V1}/plans/{plan['id']}/rejection", body)
    for what in ("approval", "rejection"):
        again = await flow.client.post(f"{V1}/plans/{plan['id']}/{what}", json=body)
        assert (again.status_code, again.json()["code"]) == (409, "plan_decided")


@pytest.mark.parametrize("what", ["approval", "rejection"])
async def test_refusals(flow: Flow, what: str) -> None:
    plan = await held_plan(flow)
    url = f"{V1}/plans/{plan['id']}/{what}"
    another = await flow.client.post(url, json={"digest": "0" * 64})
    assert (another.status_code, another.json()["code"]) == (409, "plan_digest")
    digest = {"digest": plan["digest"]}
    for missing in (f"{V1}/plans/999/{what}", f"{V1}/plans/x/{what}"):
        unknown = await flow.client.post(missing, json=digest)
        assert (unknown.status_code, unknown.json()["code"]) == (404, "plan_unknown")
    bodies: list[Any] = [{}, {"digest": 1}, {"digest": ""}, {**digest, "force": True}, [], None]
    for body in [*bodies, {**digest, "note": "x" * 2001}, {**digest, "note": "\x00"}]:
        assert (await flow.client.post(url, json=body)).status_code == 422
    operator = await flow.api.token("operator")
    assert (await operator.post(url, json=digest)).status_code == 403
    elsewhere = await flow.api.stranger("approver")
    assert (await elsewhere.post(url, json=digest)).status_code == 404
    assert [it["id"] for it in await flow.plans("held")] == [plan["id"]], "it still waits"
    approver = await flow.api.token("approver", connections=["ab"])
    done = await approver.post(url, json=digest)
    assert done.status_code == 200
    assert done.json()["decided_by"] == "approver of the tests"


@pytest.mark.parametrize("what", ["approval", "rejection"])
async def test_a_week_is_the_end_of_it(flow: Flow, what: str) -> None:
    """Both once the time is over and once the plan is marked so; then it is planned anew."""
    plan = await held_plan(flow)
    url, body = f"{V1}/plans/{plan['id']}/{what}", {"digest": plan["digest"]}
    await flow.db.execute("UPDATE plans SET expires_at = now() - interval '1 second'")
    late = await flow.client.post(url, json=body)
    assert (late.status_code, late.json()["code"]) == (410, "plan_expired")
    await flow.run()
    assert (await flow.call("GET", f"{V1}/plans/{plan['id']}"))["status"] == "expired"
    assert (await flow.client.post(url, json=body)).status_code == 410
    anew = await flow.sealed()
    assert anew["id"] != plan["id"]
    assert anew["counts"] == plan["counts"]
    assert len(flow.mirrors) == 2


async def test_what_is_only_shown_cannot_be_decided(flow: Flow) -> None:
    flow.ann.link("A-1", "Blocks", "A-2")
    await flow.compare()
    [shadow] = await flow.plans("shadow")
    for what in ("approval", "rejection"):
        url = f"{V1}/plans/{shadow['id']}/{what}"
        refused = await flow.client.post(url, json={"digest": "0" * 64})
        assert (refused.status_code, refused.json()["code"]) == (409, "plan_not_sealed")


async def test_a_gathering_plan_cannot_be_decided(flow: Flow) -> None:
    await flow.mode("review")
    [origin] = await flow.mirrored(CHAIN[0])
    flow.ann.unlink(origin)
    await flow.compare()
    [plan] = await flow.plans("gathering")
    url = f"{V1}/plans/{plan['id']}/approval"
    refused = await flow.client.post(url, json={"digest": "0" * 64})
    assert (refused.status_code, refused.json()["code"]) == (409, "plan_not_sealed")


async def two_owners(flow: Flow) -> None:
    stored = await flow.call("PUT", AB, connection_body(approvals=2))
    assert (stored["approvals"], stored["revision"]) == (2, 2)
    await flow.run()


async def test_two_owners(flow: Flow) -> None:
    await two_owners(flow)
    plan = await held_plan(flow)
    url, body = f"{V1}/plans/{plan['id']}/approval", {"digest": plan["digest"]}
    ann = await flow.api.token("approver", owner="Ann")
    first = (await ann.post(url, json={**body, "note": "fine"})).json()
    assert (first["status"], first["approved_by"]) == ("approved", "Ann")
    assert (first["decided_by"], first["decided_at"]) == (None, None)
    assert first["approved_at"] is not None
    await flow.compare()
    assert len(flow.mirrors) == 2, "one is not enough, and nothing is held twice"
    assert await flow.plans("gathering") == []
    for spelt in ("Ann", "ann "):
        other_token = await flow.api.token("admin", owner=spelt)
        again = await other_token.post(url, json=body)
        assert (again.status_code, again.json()["code"]) == (409, "second_owner")
    bob = await flow.api.token("approver", owner="Bob")
    wrong = await bob.post(url, json={"digest": "0" * 64})
    assert wrong.json()["code"] == "plan_digest"
    second = (await bob.post(url, json={**body, "note": "fine too"})).json()
    assert (second["status"], second["approved_by"]) == ("applying", "Ann")
    assert (second["decided_by"], second["note"]) == ("Bob", "fine\nfine too")
    await flow.run()
    assert flow.mirrors == []


async def test_a_sealed_plan_keeps_its_number_of_owners(flow: Flow) -> None:
    """A PUT that asks for one from now on, between two approvals, lets no owner through alone."""
    await two_owners(flow)
    plan = await held_plan(flow)
    url, body = f"{V1}/plans/{plan['id']}/approval", {"digest": plan["digest"]}
    assert (await flow.call("POST", url, body))["status"] == "approved"
    await flow.call("PUT", AB, connection_body(approvals=1))
    again = await flow.client.post(url, json=body)
    assert (again.status_code, again.json()["code"]) == (409, "second_owner")
    await flow.run()
    assert len(flow.mirrors) == 2


async def test_the_second_owner_is_told(flow: Flow) -> None:
    """Once, as somebody was of the plan; what is rejected waits for nobody."""
    await two_owners(flow)
    plan = await held_plan(flow)
    await watch.run_once(flow.ctx)
    url, body = f"{V1}/plans/{plan['id']}", {"digest": plan["digest"]}
    await flow.call("POST", f"{url}/approval", body)
    for _ in range(2):
        await watch.run_once(flow.ctx)
    told = await flow.db.fetch("SELECT key, title, paging FROM notifications ORDER BY id")
    assert [it["key"] for it in told] == [f"plan_held:{plan['id']}", f"plan_second:{plan['id']}"]
    assert told[1]["title"] == "[Twinlink] 2 changes of ab wait for a second owner"
    assert not told[1]["paging"]
    await flow.call("POST", f"{url}/rejection", body)
    await watch.run_once(flow.ctx)
    assert await flow.db.fetchval("SELECT count(*) FROM notifications") == 2


async def test_a_plan_that_one_approved_can_be_rejected_and_expires(flow: Flow) -> None:
    await two_owners(flow)
    plan = await held_plan(flow)
    url, body = f"{V1}/plans/{plan['id']}", {"digest": plan["digest"]}
    await flow.call("POST", f"{url}/approval", body)
    await flow.db.execute("UPDATE plans SET expires_at = now() - interval '1 second'")
    await flow.run()
    assert (await flow.call("GET", url))["status"] == "expired"
    plan = await flow.sealed()
    url, body = f"{V1}/plans/{plan['id']}", {"digest": plan["digest"]}
    await flow.call("POST", f"{url}/approval", body)
    assert (await flow.call("POST", f"{url}/rejection", body))["status"] == "rejected"
    await flow.compare()
    assert len(flow.mirrors) == 2


@pytest.mark.parametrize("approvals", [0, 3, "2", True, None, 1.5])
async def test_one_owner_or_two(flow: Flow, approvals: Any) -> None:
    refused = await flow.client.put(AB, json=connection_body(approvals=approvals))
    assert refused.status_code == 422
    assert (await flow.call("GET", AB))["approvals"] == 1


async def test_the_guard_is_armed_when_its_last_plan_is_decided(flow: Flow) -> None:
    """Tripped by a tight limit: one removal goes, the other waits, and its decision re-arms."""
    window = {"share": 0.001, "min": 1, "max": 1}
    await flow.call("PUT", AB, connection_body(guard={"hour": window, "day": window}))
    await flow.mode("live")
    for origin in await flow.mirrored(*CHAIN):
        flow.ann.unlink(origin)
    await flow.compare()
    assert len(flow.mirrors) == 1
    assert (await flow.call("GET", AB))["guard"]["state"] == "tripped"
    plan = await flow.sealed()
    await flow.call("POST", f"{V1}/plans/{plan['id']}/approval", {"digest": plan["digest"]})
    await flow.run()
    assert flow.mirrors == [], "outside the windows"
    guard = (await flow.call("GET", AB))["guard"]
    assert guard["state"] == "armed"
    assert {
        window["used"] for window in guard["windows"] if not window["scope"].endswith("site_hour")
    } == {0}


async def tripped(flow: Flow) -> dict[str, Any]:
    """By a limit of one: one removal went, the other waits in a sealed plan."""
    window = {"share": 0.001, "min": 1, "max": 1}
    await flow.call("PUT", AB, connection_body(guard={"hour": window, "day": window}))
    await flow.mode("live")
    for origin in await flow.mirrored(*CHAIN):
        flow.ann.unlink(origin)
    await flow.compare()
    return await flow.sealed()


async def test_a_reset_arms_it_and_ends_the_sealed_plan(flow: Flow) -> None:
    """Fresh windows have room for what it held: each removal is judged again."""
    plan = await tripped(flow)
    shown = await flow.call("POST", f"{AB}/guard/reset")
    assert shown["guard"]["state"] == "armed"
    await flow.run()
    assert flow.mirrors == []
    ended = await flow.call("GET", f"{V1}/plans/{plan['id']}")
    assert (ended["status"], ended["decided_by"]) == ("expired", "bootstrap")
    assert [it["result"] for it in ended["changes"]] == ["expired"]
    assert await flow.plans("held") == await flow.plans("gathering") == []


async def test_three_resets_a_day(flow: Flow) -> None:
    """The fourth is refused, and says when the next is possible; all of them are shown."""
    await tripped(flow)
    before = (await flow.call("GET", AB))["guard"]["resets"]
    assert before == {"limit": 3, "used": 0, "next_at": None, "last_at": None, "last_by": None}
    await flow.db.execute(
        """INSERT INTO guard_resets (connection_id, at, reset_by)
           SELECT id, now() - interval '25 hours', 'ann' FROM connections"""
    )
    before = (await flow.call("GET", AB))["guard"]["resets"]
    assert (before["used"], before["last_by"]) == (0, "ann")
    for _ in range(3):
        await flow.call("POST", f"{AB}/guard/reset")
    spent = (await flow.call("GET", AB))["guard"]["resets"]
    assert (spent["used"], spent["last_by"]) == (3, "bootstrap")
    refused = await flow.client.post(f"{AB}/guard/reset")
    assert (refused.status_code, refused.json()["code"]) == (429, "guard_resets_spent")
    assert spent["next_at"] in refused.json()["detail"]
    assert 86_000 < int(refused.headers["Retry-After"]) <= 86_400


async def test_a_reset_is_in_the_timeline_of_the_incident(flow: Flow) -> None:
    await tripped(flow)
    await flow.call("POST", f"{AB}/guard/reset")
    [incident] = (await flow.call("GET", f"{V1}/incidents"))["items"]
    whole = await flow.call("GET", f"{V1}/incidents/{incident['id']}")
    said = " ".join(it["text"] for it in whole["timeline"])
    assert "An approver reset the guard" in said
    assert "2 more resets are possible within a day" in said
