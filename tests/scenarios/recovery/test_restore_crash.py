"""A worker dies at every step of a restore: another one goes on, and nothing is doubled."""

import asyncio
from typing import Any

import pytest

from app.sandbox import Fault
from app.sync.recovery import restore
from app.sync.writes import confirm
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.recovery.restoring import (
    approve,
    ask,
    changes,
    finish,
    plan_of,
    removed,
    results,
)
from tests.scenarios.recovery.test_restore import nothing_moves
from tests.support.crash import Died, die, killed
from tests.support.engine import ACCOUNT

pytestmark = pytest.mark.slow

MIRROR = ("P-2", "Blocks", "P-3")


def made(duo: Duo) -> int:
    """How often our account made any link, from the first one on."""
    return len(duo.right.jira.mutations.select("created", ACCOUNT))


@pytest.mark.parametrize("acted", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "^/search$"), ("POST", "^/issueLink$"), ("GET", "^/issueLinkType$")],
    ids=["reading", "writing", "planning"],
)
async def test_dying_at_a_request(duo: Duo, method: str, path: str, acted: bool) -> None:
    await removed(duo)
    before = made(duo)
    planning = "Type" in path
    if not planning:
        plan = await ask(duo.world)
        await approve(duo.world, plan)
    async with killed(duo.right.jira, method, path, acted=acted):
        if planning:
            await ask(duo.world)
        else:
            await restore.run_once(duo.world.worker())
    if planning:
        duo.world.clock.tick(restore.LEASE + 1)
        await restore.run_once(duo.world.ctx)
        [found] = await duo.world.rows(
            "SELECT id FROM plans WHERE kind = 'restore' AND connection_id = ANY($1::bigint[])"
        )
        plan = found["id"]
        await approve(duo.world, plan)
    await restore.run_once(duo.world.ctx)
    assert made(duo) - before <= 1, "an open intent keeps its link to itself"
    await finish(duo.world, plan)
    assert duo.right.jira.triples_of() == {MIRROR}
    assert made(duo) - before == 1
    assert (await results(duo.world, plan))["P-2 P-3"].startswith("applied:")
    assert await duo.world.states() == ["detached"]
    await nothing_moves(duo)


async def test_dying_between_the_post_and_the_read_back(duo: Duo) -> None:
    await removed(duo)
    before = made(duo)
    plan = await ask(duo.world)
    await approve(duo.world, plan)
    # The pre-read passes, the read-back does not.
    async with killed(duo.right.jira, "POST", "^/search$", acted=False, skip=1):
        await restore.run_once(duo.world.worker())
    assert made(duo) - before == 1
    await finish(duo.world, plan)
    assert await results(duo.world, plan) == {"P-2 P-3": "applied:confirmed_read_back_ours"}
    assert [it["verified"] for it in await changes(duo.world, plan)] == [True]
    assert made(duo) - before == 1
    await nothing_moves(duo)


async def test_an_answer_that_is_lost_is_confirmed_and_not_repeated(duo: Duo) -> None:
    await removed(duo)
    before = made(duo)
    plan = await ask(duo.world)
    await approve(duo.world, plan)
    duo.right.jira.faults.add(
        Fault("drop_after", "POST", "^/issueLink$", times=1),
        Fault("error_before", "POST", "^/search$", times=3, skip=1),
    )
    await restore.run_once(duo.world.ctx)
    await restore.run_once(duo.world.ctx)
    assert made(duo) - before == 1
    await finish(duo.world, plan)
    assert made(duo) - before == 1
    assert await results(duo.world, plan) == {"P-2 P-3": "applied:confirmed_read_back_ours"}


async def test_a_request_that_never_left_is_made_again(duo: Duo) -> None:
    await removed(duo)
    plan = await ask(duo.world)
    await approve(duo.world, plan)
    async with killed(duo.right.jira, "POST", "^/issueLink$", acted=False):
        await restore.run_once(duo.world.worker())
    assert duo.right.jira.triples_of() == set()
    await finish(duo.world, plan)
    assert duo.right.jira.triples_of() == {MIRROR}
    outcomes = [it["evidence"].get("outcome") for it in await duo.world.audit()]
    assert "confirmed_not_made" in outcomes


async def test_dying_in_an_undo(duo: Duo) -> None:
    for acted in (False, True):
        await duo.mirrored()
        plan = await ask(duo.world, "create")
        await approve(duo.world, plan)
        async with killed(duo.right.jira, "DELETE", "^/issueLink/", acted=acted):
            await restore.run_once(duo.world.worker())
        await finish(duo.world, plan)
        assert not duo.right.jira.links
        assert await duo.world.states() == ["detached"]
        assert (await results(duo.world, plan))["P-2 P-3"] in (
            "applied:deleted",
            "applied:confirmed_gone",
        )
        await nothing_moves(duo)
        back = await ask(duo.world)
        await approve(duo.world, back)
        await finish(duo.world, back)
        await duo.world.settle()
        assert await duo.world.states() == ["managed"]


async def chained(build: Build, links: int) -> Duo:
    """So many mirrors that were made and removed; one more stays, else they would be held."""
    duo = await build(issues=links + 1)
    duo.ann.link("P-1", "Relates", "P-2")
    for number in range(1, links + 1):
        duo.ann.link(f"P-{number}", "Blocks", f"P-{number + 1}")
    await duo.world.settle()
    for number in range(1, links + 1):
        duo.ann.unlink(f"P-{number}", "Blocks", f"P-{number + 1}")
    await duo.world.settle()
    assert len(duo.right.jira.links) == 1
    return duo


async def test_several_workers_share_and_one_dies(build: Build) -> None:
    """120 links, three workers at once; one is killed in the middle."""
    duo = await chained(build, 120)
    before = made(duo)
    plan = await ask(duo.world)
    await approve(duo.world, plan)

    async def work() -> Any:
        return await restore.run_once(duo.world.worker())

    duo.right.jira.faults.add(Fault("after", "POST", "^/issueLink$", times=1, skip=40, action=die))
    ended = await asyncio.gather(work(), work(), work(), return_exceptions=True)
    assert sum(isinstance(it, Died) for it in ended) == 1, ended
    await finish(duo.world, plan)
    assert len(duo.right.jira.links) == 121
    assert made(duo) - before == 120
    found = await results(duo.world, plan)
    assert len(found) == 120
    assert {it.partition(":")[0] for it in found.values()} == {"applied"}
    [taken] = await duo.world.rows(
        """SELECT count(*) AS intents FROM intents
           WHERE purpose = 'restore' AND connection_id = ANY($1::bigint[])"""
    )
    assert taken["intents"] == 120, "one attempt a link"
    await nothing_moves(duo)


async def test_a_claim_that_lapsed_commits_nothing(duo: Duo) -> None:
    """While one worker reads, its lease runs out and another does the work."""
    await removed(duo)
    before = made(duo)
    plan = await ask(duo.world)
    await approve(duo.world, plan)
    other = duo.world.worker()

    async def meanwhile() -> None:
        duo.world.clock.tick(61)
        await restore.run_once(other)

    race = duo.right.jira.faults.add(Fault("after", "POST", "^/search$", times=1, action=meanwhile))
    await restore.run_once(duo.world.ctx)
    assert race.hits == 1
    assert made(duo) - before == 1
    assert (await plan_of(duo.world, plan))["status"] == "applied"
    posted = duo.right.jira.requests.count("POST", "/issueLink")
    assert posted == 2, "the first mirror, and one restore"
    await confirm.run_once(duo.world.ctx)
    await nothing_moves(duo)
