"""After more than a day of pause nothing is removed until a person has seen what would be."""

import pytest

from app.api.auth.roles import V1
from tests.api.flow import AB, Flow

CHAIN = [("A-1", "Blocks", "A-2"), ("A-2", "Blocks", "A-3")]


async def paused_for(flow: Flow, hours: int, path: str = AB) -> None:
    """Paused so long ago, with both origins gone and a new one made meanwhile."""
    await flow.mode("live")
    origins = await flow.mirrored(*CHAIN)
    await flow.call("POST", f"{path}/pause")
    for origin in origins:
        flow.ann.unlink(origin)
    flow.ann.link("A-3", "Blocks", "A-4")
    await flow.db.execute(
        "UPDATE connections SET idle_since = idle_since - make_interval(hours => $1)", hours
    )


@pytest.mark.parametrize("path", [AB, V1])
async def test_the_first_pass_after_a_long_pause_is_held(flow: Flow, path: str) -> None:
    await paused_for(flow, 25, path)
    await flow.call("POST", f"{path}/resume")
    await flow.run()
    assert len(flow.mirrors) == 3, "creations go on"
    plan = await flow.sealed()
    assert (plan["counts"]["remove"], plan["reason"]) == (2, "long_pause")
    [done] = (await flow.call("GET", f"{V1}/resyncs?status=held"))["items"]
    assert done["held"] == 2
    guard = (await flow.call("GET", AB))["guard"]
    assert guard["state"] == "armed"
    assert await removed_next(flow), "after the first pass the guard alone decides"


@pytest.mark.parametrize("hours", [0, 23])
async def test_a_short_pause_holds_nothing(flow: Flow, hours: int) -> None:
    await paused_for(flow, hours)
    await flow.call("POST", f"{AB}/resume")
    await flow.compare()
    assert len(flow.mirrors) == 1
    assert await flow.plans("gathering") == []


async def test_pauses_that_overlap_are_one(flow: Flow) -> None:
    """Its own pause ends while everything is paused: what counts is when nothing was written."""
    await paused_for(flow, 20)
    await flow.call("POST", f"{V1}/pause")
    await flow.call("POST", f"{AB}/resume")
    await flow.db.execute("UPDATE connections SET idle_since = idle_since - interval '5 hours'")
    await flow.call("POST", f"{V1}/resume")
    await flow.run()
    assert len(flow.mirrors) == 3
    assert (await flow.sealed())["reason"] == "long_pause"


async def test_a_cancelled_first_pass_ends_nothing(flow: Flow) -> None:
    await paused_for(flow, 25)
    await flow.call("POST", f"{AB}/resume")
    [queued] = (await flow.call("GET", f"{V1}/resyncs?status=queued"))["items"]
    await flow.call("POST", f"{V1}/resyncs/{queued['id']}/cancel")
    await flow.call("POST", f"{AB}/resyncs", {"issues": ["A-1", "A-2", "A-3"]})
    await flow.run()
    assert len(flow.mirrors) == 3, "removals are held still"
    await flow.compare()
    assert await removed_next(flow), "a whole comparison that ends well ends it"


async def test_what_the_first_pass_held_stays_held(flow: Flow) -> None:
    """Also before its plan is sealed, when another event comes for the same pairs."""
    await paused_for(flow, 25)
    await flow.call("POST", f"{AB}/resume")
    await flow.run()
    await flow.compare()
    assert len(flow.mirrors) == 3
    assert (await flow.sealed())["counts"]["remove"] == 2


async def test_nobody_decided_and_it_is_held_again(flow: Flow) -> None:
    """Time is no approval: the plan expires, and what it held is planned anew."""
    await paused_for(flow, 25)
    await flow.call("POST", f"{AB}/resume")
    await flow.run()
    plan = await flow.sealed()
    await flow.db.execute("UPDATE plans SET expires_at = now() - interval '1 second'")
    await flow.run()
    assert (await flow.call("GET", f"{V1}/plans/{plan['id']}"))["status"] == "expired"
    await flow.run()
    assert len(flow.mirrors) == 3
    anew = await flow.sealed()
    assert (anew["id"] != plan["id"], anew["counts"]) == (True, plan["counts"])
    assert await removed_next(flow), "the guard alone decides about anything else"


async def removed_next(flow: Flow) -> bool:
    """Whether a link that is made and taken away from now on loses its mirror."""
    origin = flow.ann.link("A-4", "Blocks", "A-5")
    await flow.compare()
    before = len(flow.mirrors)
    flow.ann.unlink(origin)
    await flow.compare()
    return len(flow.mirrors) == before - 1
