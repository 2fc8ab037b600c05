"""Rolling back: at once, as it was, with its data, and never further than it may."""

from dataclasses import replace
from typing import Any

import pytest

from app.api.auth.roles import V1
from app.sandbox import Fault
from tests.api.conftest import connection_body
from tests.api.flow import AB, Flow
from tests.api.routes.test_revisions import BLOCKS, BOTH, RELATES, body


async def test_narrowing_rests_and_rolling_back_resumes(flow: Flow) -> None:
    await flow.mode("live")
    await flow.mirrored(("A-1", "Blocks", "A-2"))
    before = await flow.db.fetchrow("SELECT state, right_link_id FROM ledger")
    narrowed = connection_body(link_types=[RELATES])
    await flow.call("POST", f"{AB}/revisions", body("full", link_types=[RELATES]))
    await flow.run()
    assert await flow.db.fetchval("SELECT state FROM ledger") == "suspended"
    assert len(flow.mirrors) == 1, "resting removes nothing"
    approver = await flow.api.token("approver")
    answer = await approver.post(f"{AB}/rollback", json={"revision": 1, "note": "too narrow"})
    assert answer.json() == {
        "revision": 3,
        "rolled_back_to": 1,
        "mode": "live",
        "paused": False,
        "plan_id": None,
    }
    assert answer.headers["ETag"] == '"3"'
    await flow.run()
    assert await flow.db.fetchrow("SELECT state, right_link_id FROM ledger") == before
    listed = (await flow.call("GET", f"{AB}/revisions"))["items"]
    configs = {it["revision"]: it["config"] for it in listed}
    assert configs[3] == configs[1]
    assert configs[2]["link_types"] == [{**narrowed["link_types"][0], "reversed": False}]
    assert listed[0]["note"] == "rolled back to revision 1: too narrow"
    assert (listed[0]["author"], listed[0]["active"]) == ("approver of the tests", True)


async def test_undo_takes_back_what_the_later_one_made(flow: Flow) -> None:
    await flow.mode("live")
    await flow.mirrored(("A-1", "Blocks", "A-2"))
    flow.ann.link("A-2", "Relates", "A-3")
    await flow.call("PUT", AB, BOTH)
    await flow.run()
    assert len(flow.mirrors) == 2
    done = await flow.call("POST", f"{AB}/rollback", {"revision": 1, "undo": True})
    await flow.run()
    assert len(flow.mirrors) == 2, "it waits for its approval"
    plan = await flow.call("GET", f"{V1}/plans/{done['plan_id']}")
    assert (plan["status"], plan["counts"]["remove"]) == ("held", 1)
    [change] = plan["changes"]
    assert {change["source"]["key"], change["destination"]["key"]} == {"B-2", "B-3"}
    await flow.call("POST", f"{V1}/plans/{plan['id']}/approval", {"digest": plan["digest"]})
    await flow.run()
    assert [flow.jira.right.site.types[it.type_id].name for it in flow.mirrors] == ["Blocks"]


async def test_undo_reaches_back_over_every_later_revision(flow: Flow) -> None:
    """What the first of them removed and what the second one made, in one plan."""
    await flow.mode("live")
    [lost] = await flow.mirrored(("A-1", "Blocks", "A-2"))
    await flow.call("POST", f"{AB}/revisions", body("full", on_issue_deleted="remove"))
    flow.ann.unlink(lost)
    await flow.compare()
    await flow.call("PUT", AB, BOTH)
    await flow.mirrored(("A-2", "Relates", "A-3"))
    done = await flow.call("POST", f"{AB}/rollback", {"revision": 1, "undo": True})
    await flow.run()
    plan = await flow.call("GET", f"{V1}/plans/{done['plan_id']}")
    found = {(it["operation"], it["source"]["key"]) for it in plan["changes"]}
    assert found == {("create", "B-1"), ("remove", "B-2")}


async def test_undo_with_nothing_to_undo(flow: Flow) -> None:
    await flow.call("PUT", AB, BOTH)
    done = await flow.call("POST", f"{AB}/rollback", {"revision": 1, "undo": True})
    assert (done["revision"], done["plan_id"]) == (3, None)


async def test_it_loosens_nothing(flow: Flow) -> None:
    """Neither the mode nor the number of owners: an approver may roll back alone."""
    await flow.mode("live")
    await flow.call("PUT", AB, connection_body(approvals=2, on_mirror_removed="recreate"))
    await flow.mode("review")
    await flow.call("POST", f"{AB}/pause")
    done = await flow.call("POST", f"{AB}/rollback", {"revision": 1})
    assert (done["mode"], done["paused"]) == ("review", True)
    shown = await flow.call("GET", AB)
    assert (shown["approvals"], shown["on_mirror_removed"]) == (2, "detach")


def _guard(share: float, least: int, most: int) -> dict[str, dict[str, float]]:
    return {scope: {"share": share, "min": least, "max": most} for scope in ("hour", "day")}


async def test_the_stricter_of_both_guards_holds(flow: Flow) -> None:
    """Of each figure, and of what follows the deletion of an issue."""
    await flow.call("PUT", AB, connection_body(guard=_guard(0.5, 2, 500), on_issue_deleted="keep"))
    tight = connection_body(guard=_guard(0.1, 5, 50), on_issue_deleted="remove")
    await flow.call("PUT", AB, tight)
    await flow.call("POST", f"{AB}/rollback", {"revision": 2})
    shown = await flow.call("GET", AB)
    assert shown["guard"]["hour"] == shown["guard"]["day"] == {"share": 0.1, "min": 2, "max": 50}
    assert shown["on_issue_deleted"] == "keep"
    await flow.call("POST", f"{AB}/rollback", {"revision": 3})
    shown = await flow.call("GET", AB)
    assert shown["guard"]["hour"] == {"share": 0.1, "min": 2, "max": 50}
    assert shown["on_issue_deleted"] == "keep", "nor does it begin to remove"


@pytest.mark.parametrize("lost", ["left", "right"])
async def test_link_types_that_are_gone_are_named(flow: Flow, lost: str) -> None:
    await flow.call("PUT", AB, BOTH)
    await flow.call("PUT", AB, connection_body(link_types=[BLOCKS]))
    site = getattr(flow.jira, lost).site
    gone = site.link_type("Relates")
    del site.types[gone.id]
    refused = await flow.client.post(f"{AB}/rollback", json={"revision": 2})
    assert (refused.status_code, refused.json()["code"]) == (409, "link_types_gone")
    [error] = refused.json()["errors"]
    assert error["pointer"] == "/revision"
    assert "Relates" in error["detail"]
    assert lost in error["detail"]
    assert (await flow.call("GET", AB))["revision"] == 3
    await flow.call("POST", f"{AB}/rollback", {"revision": 1})


async def test_a_site_that_is_away_stops_no_roll_back(flow: Flow) -> None:
    await flow.call("PUT", AB, BOTH)
    for served in (flow.jira.left, flow.jira.right):
        served.site.faults.add(Fault("error_before", "GET", "issueLinkType"))
    done = await flow.call("POST", f"{AB}/rollback", {"revision": 1})
    assert done["revision"] == 3
    await flow.db.execute("DELETE FROM link_types WHERE name = 'Relates'")
    refused = await flow.client.post(f"{AB}/rollback", json={"revision": 2})
    assert refused.json()["code"] == "link_types_gone", "what is stored decides then"


async def test_renamed_types_are_taken_as_the_site_spells_them(flow: Flow) -> None:
    """Who made a link is read from a changelog in the type's present wording."""
    await flow.call("PUT", AB, BOTH)
    site = flow.jira.right.site
    stored = await flow.db.fetchval("SELECT config FROM revisions WHERE revision = 1")
    kind = site.link_type("Blocks")
    site.types[kind.id] = replace(kind, name="Stops", outward="stops")
    await flow.call("POST", f"{AB}/rollback", {"revision": 1})
    [pair] = (await flow.call("GET", AB))["link_types"]
    assert (pair["left"], pair["right"]) == ("Blocks", "Stops")
    assert stored == await flow.db.fetchval("SELECT config FROM revisions WHERE revision = 1")


async def test_refusals(flow: Flow) -> None:
    url = f"{AB}/rollback"
    await flow.call("PUT", AB, BOTH)
    await flow.call("POST", f"{AB}/revisions", body(link_types=[RELATES]))
    unknown = await flow.client.post(url, json={"revision": 9})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "revision_unknown")
    for revision, said in ((2, "active"), (3, "shadow")):
        refused = await flow.client.post(url, json={"revision": revision})
        assert refused.status_code == 422
        [error] = refused.json()["errors"]
        assert error["pointer"] == "/revision"
        assert said in error["detail"]
    bodies: list[Any] = [{}, {"revision": "1"}, {"revision": 0}, {"revision": 2**31}, None]
    for wrong in [*bodies, {"revision": 1, "undo": "yes"}, {"revision": 1, "mode": "live"}]:
        assert (await flow.client.post(url, json=wrong)).status_code == 422
    missing = await flow.client.post(f"{V1}/connections/none/rollback", json={"revision": 1})
    assert missing.json()["code"] == "connection_unknown"
    operator = await flow.api.token("operator")
    assert (await operator.post(url, json={"revision": 1})).status_code == 403
    elsewhere = await flow.api.stranger("approver")
    assert (await elsewhere.post(url, json={"revision": 1})).status_code == 404
    assert (await flow.call("GET", AB))["revision"] == 2
