"""`next_step` says what going up a mode would do, in numbers."""

from app.api.auth.roles import V1
from tests.api.conftest import connection_body
from tests.api.flow import AB, Flow


async def said(flow: Flow) -> str:
    shown = (await flow.call("GET", AB))["next_step"]
    [listed] = (await flow.call("GET", f"{V1}/connections"))["items"]
    assert listed["next_step"] == shown
    told = listed["next_command"]
    assert "/api/v1" not in told
    assert "GET " not in told
    assert "POST " not in told
    return str(shown)


async def test_in_shadow_the_open_plan_is_counted(flow: Flow) -> None:
    assert "5 twins: create_only would make 0 links; review would also hold 0" in await said(flow)
    flow.ann.link("A-1", "Blocks", "A-2")
    flow.ann.link("A-2", "Blocks", "A-3")
    await flow.call("POST", f"{AB}/resyncs", {"dry_run": True})
    await flow.compare()
    assert "create_only would make 2 links;" in await said(flow), "dry runs are not counted"
    await flow.mode("live")
    await flow.mode("shadow")
    [first, _] = list(flow.jira.left.site.links.values())
    flow.ann.unlink(first)
    flow.ann.link("A-3", "Blocks", "A-4")
    await flow.compare()
    assert "make 1 link; review would also hold 1 link for removal" in await said(flow)


async def test_in_review_what_is_held_is_counted(flow: Flow) -> None:
    await flow.mode("review")
    assert "0 removals held, no plan waits" in await said(flow)
    for origin in await flow.mirrored(("A-1", "Blocks", "A-2"), ("A-2", "Blocks", "A-3")):
        flow.ann.unlink(origin)
    await flow.compare()
    assert "2 removals held, no plan waits" in await said(flow)
    plan = await flow.sealed()
    now = await said(flow)
    assert "2 removals held, 1 plan to decide about: GET /api/v1/plans" in now
    assert "at most 10 links an hour" in now
    await flow.call("POST", f"{V1}/plans/{plan['id']}/rejection", {"digest": plan["digest"]})
    assert "0 removals held" in await said(flow)


async def test_the_other_modes(flow: Flow) -> None:
    await flow.mode("create_only")
    assert "Links of 5 twins are made, none is removed" in await said(flow)
    await flow.mode("live")
    assert (await said(flow)).startswith("Live with 5 twins.")
    await flow.call("POST", f"{V1}/pause")
    assert (await said(flow)).startswith("Paused: nothing is written. Live")
    await flow.call("POST", f"{V1}/resume")
    window = {"share": 0.001, "min": 1, "max": 1}
    await flow.call("PUT", AB, connection_body(guard={"hour": window, "day": window}))
    for origin in await flow.mirrored(("A-1", "Blocks", "A-2"), ("A-2", "Blocks", "A-3")):
        flow.ann.unlink(origin)
    await flow.compare()
    await flow.sealed()
    assert (await said(flow)).startswith("The guard is tripped. 1 removal held, 1 plan to decide")
