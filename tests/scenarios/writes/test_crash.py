"""Processes die anywhere, claims run out, two workers meet: the outcome is the same."""

import asyncio

import pytest

from app.sandbox import Fault
from app.store.links import twins
from app.sync.reconcile import loop
from app.sync.writes import confirm
from tests.scenarios.conftest import Duo
from tests.support.crash import killed
from tests.support.engine import LEASE

POST, DELETE = ("POST", "^/issueLink$"), ("DELETE", "^/issueLink/")


async def look_and_die(duo: Duo, request: tuple[str, str], *, acted: bool) -> None:
    await duo.world.deliver()
    async with killed(duo.right.jira, *request, acted=acted):
        await duo.world.look()


@pytest.mark.parametrize("acted", [False, True])
async def test_dead_at_the_post(duo: Duo, acted: bool) -> None:
    made = duo.ann.link("P-1", "Blocks", "P-2")
    await look_and_die(duo, POST, acted=acted)
    (intent,) = await duo.world.rows(
        "SELECT * FROM intents WHERE connection_id = ANY($1::bigint[])"
    )
    assert intent["state"] == "open"
    duo.world.clock.set(intent["send_before"].timestamp() + 29)
    assert await confirm.run_once(duo.world.ctx) == 0, "its request may still be on its way"
    await duo.world.settle()
    assert duo.right.jira.triples_of() == {("P-2", "Blocks", "P-3")}
    assert len(duo.right.jira.mutations) == 1
    outcomes = [row["evidence"].get("outcome") for row in await duo.world.audit()]
    assert ("confirmed_read_back_ours" if acted else "confirmed_not_made") in outcomes
    duo.ann.unlink(made)
    await duo.world.settle()
    assert not duo.right.jira.links


@pytest.mark.parametrize("acted", [False, True])
async def test_dead_at_the_delete(duo: Duo, acted: bool) -> None:
    made = await duo.mirrored()
    duo.ann.unlink(made)
    await look_and_die(duo, DELETE, acted=acted)
    await duo.world.settle()
    assert not duo.right.jira.links
    assert await duo.world.ledger() == []
    removed = [row for row in await duo.world.audit() if row["operation"] == "remove"]
    assert removed[-1]["status"] == "applied"
    assert len(duo.right.jira.mutations.select("removed")) == 1


async def test_dead_before_the_post_while_a_person_makes_the_link(duo: Duo) -> None:
    """The confirmation finds one such link, and by the changelog it is theirs."""
    made = duo.ann.link("P-1", "Blocks", "P-2")
    await look_and_die(duo, POST, acted=False)
    theirs = duo.bob.link("P-2", "Blocks", "P-3")
    await duo.world.settle()
    assert await duo.world.states() == ["preexisting"]
    duo.ann.unlink(made)
    await duo.world.settle()
    assert set(duo.right.jira.links) == {theirs.id}


async def test_dead_at_the_delete_while_a_person_removes_the_link(duo: Duo) -> None:
    """Gone by their hand, not by ours: nothing of ours to restore."""
    made = await duo.mirrored()
    duo.ann.unlink(made)
    await look_and_die(duo, DELETE, acted=False)
    duo.world.clock.tick(2)
    duo.bob.unlink(duo.mirror)
    await duo.world.settle()
    outcomes = [row["evidence"].get("outcome") for row in await duo.world.audit()]
    assert "confirmed_removed_by_another" in outcomes
    assert await duo.world.ledger() == []


async def test_a_claim_that_ran_out_commits_nothing(duo: Duo) -> None:
    """A worker slept through its lease between the proof and the intent; another has the pair."""
    made = await duo.mirrored()
    duo.ann.unlink(made)

    async def overtake() -> None:
        duo.world.clock.tick(LEASE + 1)
        race.times = 0
        await loop.run_once(duo.world.worker(), size=100, lease=LEASE)

    race = Fault("after", "GET", "^/issueLink/", times=1, action=overtake)
    duo.left.jira.faults.add(race)
    await duo.world.deliver()
    await duo.world.look()
    assert race.hits >= 1
    removed = await duo.world.rows(
        "SELECT state FROM intents WHERE operation = 'remove' AND connection_id = ANY($1::bigint[])"
    )
    assert [it["state"] for it in removed] == ["applied"]
    await duo.world.settle()
    assert len(duo.right.jira.mutations.select("removed")) == 1


async def test_a_claim_that_ran_out_with_nobody_behind_it(duo: Duo) -> None:
    made = await duo.mirrored()
    duo.ann.unlink(made)
    late = Fault(
        "after", "GET", "^/issueLink/", times=1, action=lambda: duo.world.clock.tick(LEASE + 1)
    )
    duo.left.jira.faults.add(late)
    await duo.world.deliver()
    await duo.world.look()
    assert late.hits == 1
    assert len(duo.right.ours) == 1, "by our own clock the lease was over"
    await duo.world.settle()
    assert not duo.right.jira.links


async def test_unpairing_between_the_decision_and_the_intent(duo: Duo) -> None:
    made = await duo.mirrored()
    duo.ann.unlink(made)

    async def unpair() -> None:
        async with duo.world.database.transaction() as conn:
            await conn.execute("DELETE FROM ledger WHERE connection_id = $1", duo.connection)
            assert await twins.delete(conn, duo.connection, duo.twins["P-2"])

    duo.left.jira.faults.add(Fault("after", "GET", "^/issueLink/", times=1, action=unpair))
    await duo.world.deliver()
    await duo.world.look()
    await duo.world.settle()
    assert len(duo.right.ours) == 1


async def test_two_workers_on_one_link_make_one_mirror(duo: Duo) -> None:
    """Each has claimed one end; both saw the gap before either filled it."""
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.deliver()
    over = asyncio.Event()
    gate = Fault("before", "POST", "^/issueLink$", times=1, action=over.wait)
    duo.right.jira.faults.add(gate)

    async def worker() -> None:
        await loop.run_once(duo.world.worker(), size=1, lease=LEASE)
        over.set()

    await asyncio.gather(worker(), worker())
    assert gate.hits == 1, "one has posted, the other was over before it"
    await duo.world.settle()
    assert len(duo.right.jira.mutations) == 1
    assert await duo.world.states() == ["managed"]


async def test_a_worker_that_reads_while_another_has_just_written(duo: Duo) -> None:
    """It passed the check for open writes before the intent, and reads after the POST: what it
    sees on both sides is a mirror being made, not a link that was there before."""
    made = duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.deliver()
    posted, seen = asyncio.Event(), asyncio.Event()

    async def hold_answer() -> None:
        posted.set()
        await seen.wait()

    async def first() -> None:
        await loop.run_once(duo.world.worker(), size=1, lease=LEASE)

    async def let_first_post() -> None:
        tasks.append(asyncio.create_task(first()))
        await posted.wait()

    tasks: list[asyncio.Task[None]] = []
    duo.right.jira.faults.add(Fault("after", "POST", "^/issueLink$", times=1, action=hold_answer))
    duo.left.jira.faults.add(
        Fault("before", "POST", "^/issue/bulkfetch$", times=1, action=let_first_post)
    )
    await duo.world.look(size=1)
    seen.set()
    await asyncio.gather(*tasks)
    await duo.world.settle()
    assert await duo.world.states() == ["managed"]
    duo.ann.unlink(made)
    await duo.world.settle()
    assert not duo.right.jira.links
