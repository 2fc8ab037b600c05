"""A write that acts long after it was confirmed not to have: corrected, told, and made good."""

from typing import Any

from app.core.operations import Ended, Status
from app.sandbox import Fault
from app.store.writes import late_writes as writes_late_writes
from app.sync.monitor import verify
from app.sync.recovery import restore
from app.sync.writes import confirm, late_writes
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.recovery.restoring import apply, approve, ask, finish, removed, results
from tests.support.engine import ACCOUNT

LATE = 120.0
POST, DELETE = ("POST", "^/issueLink$"), ("DELETE", "^/issueLink/")


async def given_up(duo: Duo, request: tuple[str, str]) -> None:
    """The request hangs; everybody takes it for one that has not acted."""
    duo.right.jira.faults.add(Fault("late_commit", *request, times=1, seconds=LATE))
    await duo.world.deliver()
    await duo.world.look()
    [intent] = await duo.world.rows(
        "SELECT * FROM intents WHERE state = 'open' AND connection_id = ANY($1::bigint[])"
    )
    duo.world.clock.set(intent["confirm_after"].timestamp() + 1)
    assert await confirm.run_once(duo.world.ctx) == 1


async def act_late(duo: Duo) -> None:
    await duo.world.clock.advance(LATE)
    await duo.right.app.settled()


async def outcomes(duo: Duo) -> list[tuple[str, str, str]]:
    return [
        (row["operation"], row["status"], row["evidence"]["outcome"])
        for row in await duo.world.audit()
        if row["status"] != "intended"
    ]


async def incidents(duo: Duo) -> list[tuple[str, dict[str, Any]]]:
    rows = await duo.world.rows(
        "SELECT kind, facts FROM incidents WHERE $1::bigint[] IS NOT NULL ORDER BY id"
    )
    return [(row["kind"], row["facts"]) for row in rows]


CORRECTED = [("outcome_corrected", {"made": 1, "removed": 0})]


async def test_a_create_whose_origin_is_gone_by_then(duo: Duo) -> None:
    """Nobody wants the link any more; it is ours all the same, and goes."""
    made = duo.ann.link("P-1", "Blocks", "P-2")
    await given_up(duo, POST)
    duo.ann.unlink(made)
    await duo.world.settle()
    await act_late(duo)
    assert len(duo.right.ours) == 1
    await duo.world.settle()
    assert not duo.right.jira.links
    found = await outcomes(duo)
    assert found[:2] == [
        ("create", "failed", "confirmed_not_made"),
        ("create", "applied", "corrected_read_back_ours"),
    ]
    assert ("remove", "applied", "deleted") in found
    assert await duo.world.ledger() == []
    assert await incidents(duo) == CORRECTED
    assert await verify.run_once(duo.world.ctx) == 0


async def test_a_create_that_looks_like_somebody_elses(duo: Duo) -> None:
    """On both sides, and nobody knows it: *preexisting*, but for its changelog."""
    duo.ann.link("P-1", "Blocks", "P-2")
    await given_up(duo, POST)
    await act_late(duo)
    await duo.world.deliver()
    await duo.world.look()
    assert await duo.world.states() == [], "nothing is concluded before it is known"
    assert await late_writes.run_once(duo.world.ctx) == 1
    await duo.world.settle()
    assert await duo.world.states() == ["managed"]
    assert [row["managed"] for row in await duo.world.audit()][-1]
    assert len(duo.right.jira.mutations) == 1
    assert await incidents(duo) == CORRECTED


async def test_the_mirror_was_made_anew_before(duo: Duo) -> None:
    """Jira takes the late request for a duplicate: there is nothing to correct."""
    duo.ann.link("P-1", "Blocks", "P-2")
    await given_up(duo, POST)
    await duo.world.settle()
    await act_late(duo)
    await duo.world.resync()
    await duo.world.settle()
    assert len(duo.right.jira.mutations) == 1
    assert await duo.world.states() == ["managed"]
    assert await incidents(duo) == []


async def test_a_person_made_the_link_meanwhile(duo: Duo) -> None:
    made = duo.ann.link("P-1", "Blocks", "P-2")
    await given_up(duo, POST)
    theirs = duo.bob.link("P-2", "Blocks", "P-3")
    await act_late(duo)
    await duo.world.settle()
    assert await duo.world.states() == ["preexisting"]
    duo.ann.unlink(made)
    await duo.world.settle()
    assert set(duo.right.jira.links) == {theirs.id}
    assert await incidents(duo) == []
    [intent] = await duo.world.rows(
        "SELECT cleared_at FROM intents WHERE connection_id = ANY($1::bigint[])"
    )
    assert intent["cleared_at"] is not None, "asked once, not for ever"


async def test_a_person_removed_what_was_made_late(build: Build) -> None:
    """While nothing was looked at. It is not made again, as any mirror that a person removes."""
    duo = await build()
    duo.ann.link("P-1", "Blocks", "P-2")
    await given_up(duo, POST)
    await act_late(duo)
    duo.world.clock.tick(5)
    duo.bob.unlink(duo.mirror)
    await duo.world.settle()
    await duo.world.resync()
    await duo.world.settle()
    assert not duo.right.jira.links, "never made again against a person's will"
    assert await duo.world.states() == ["detached"]
    assert (await outcomes(duo))[-1] == ("create", "noop", "corrected_taken_away")
    assert await incidents(duo) == CORRECTED


async def test_a_later_origin_gets_its_mirror(duo: Duo) -> None:
    """What a person removed was the mirror of another link."""
    made = duo.ann.link("P-1", "Blocks", "P-2")
    await given_up(duo, POST)
    await act_late(duo)
    duo.world.clock.tick(5)
    duo.bob.unlink(duo.mirror)
    duo.ann.unlink(made)
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    assert await duo.world.states() == ["managed"]


async def test_a_person_removed_what_a_restore_made_late(duo: Duo) -> None:
    await removed(duo)
    plan = await ask(duo.world)
    await approve(duo.world, plan)
    duo.right.jira.faults.add(Fault("late_commit", *POST, times=1, seconds=LATE))
    await restore.run_once(duo.world.ctx)
    [intent] = await duo.world.rows(
        "SELECT * FROM intents WHERE state = 'open' AND connection_id = ANY($1::bigint[])"
    )
    duo.world.clock.set(intent["confirm_after"].timestamp() + 1)
    assert await confirm.run_once(duo.world.ctx) == 1
    await act_late(duo)
    duo.world.clock.tick(5)
    duo.bob.unlink(duo.mirror)
    await finish(duo.world, plan)
    assert not duo.right.jira.links, "never made again against a person's will"
    assert await results(duo.world, plan) == {"P-2 P-3": "skipped:taken_away"}


async def held_open(duo: Duo) -> None:
    """The mirror's removal is given up; then its origin is there again, and wants its mirror."""
    made = await duo.mirrored()
    duo.ann.unlink(made)
    await given_up(duo, DELETE)
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    assert len(duo.right.ours) == 1


async def test_a_removal_whose_origin_is_there_again(duo: Duo) -> None:
    """Removed by us against today's will: written down, told, and the mirror made anew."""
    await held_open(duo)
    assert [it[2] for it in await outcomes(duo)][-1] == "confirmed_still_there"
    await act_late(duo)
    assert not duo.right.jira.links
    await duo.world.deliver()
    assert await verify.run_once(duo.world.ctx) == 0, "late is no alarm"
    assert await late_writes.run_once(duo.world.ctx) == 1
    assert ("remove", "applied", "corrected_gone") in await outcomes(duo)
    await duo.world.settle()
    assert len(duo.right.ours) == 1
    assert await duo.world.states() == ["managed"]
    assert await incidents(duo) == [("outcome_corrected", {"made": 0, "removed": 1})]
    await duo.world.execute("UPDATE monitor_issues SET generation = generation + 1")
    assert await verify.run_once(duo.world.ctx) == 0, "accounted for by now"


async def test_what_a_late_removal_took_is_restorable(build: Build) -> None:
    duo = await build()
    await held_open(duo)
    await duo.world.execute("UPDATE connections SET paused_at = now()")
    await act_late(duo)
    await duo.world.deliver()
    await verify.run_once(duo.world.ctx)
    assert await late_writes.run_once(duo.world.ctx) == 1, "it only reads"
    await duo.world.execute("UPDATE connections SET paused_at = NULL")
    plan = await ask(duo.world)
    assert set((await apply(duo.world, plan)).values()) == {"applied:read_back_ours"}
    await duo.world.settle()
    assert len(duo.right.ours) == 1
    assert await duo.world.states() == ["managed"]


async def test_a_removal_past_our_code_is_an_alarm_though_another_was_given_up(duo: Duo) -> None:
    """What the late write cannot have done is not explained by it."""
    await held_open(duo)
    other = duo.bob.link("P-4", "Tests", "P-5")
    duo.right.person(ACCOUNT).unlink(other)
    await duo.world.deliver()
    assert await verify.run_once(duo.world.ctx) == 1


async def test_a_suspicion_that_jira_does_not_bear_out_is_asked_of_a_person(duo: Duo) -> None:
    await held_open(duo)
    [intent] = await duo.world.rows(
        """SELECT id FROM intents WHERE operation = 'remove'
           AND connection_id = ANY($1::bigint[])"""
    )
    async with duo.world.database.transaction() as conn:
        await writes_late_writes.suspect(conn, [intent["id"]], duo.world.now())
    assert await late_writes.run_once(duo.world.ctx) == 0
    assert [kind for kind, _ in await incidents(duo)] == ["removal_unclear"]
    assert await late_writes.run_once(duo.world.ctx) == 0
    assert len(duo.right.ours) == 1


async def test_a_site_that_is_away_puts_it_off(duo: Duo) -> None:
    duo.ann.link("P-1", "Blocks", "P-2")
    await given_up(duo, POST)
    await act_late(duo)
    await duo.world.deliver()
    await duo.world.look()
    down = duo.right.jira.faults.add(Fault("error_before", status=503))
    assert await late_writes.run_once(duo.world.ctx) == 0
    assert down.hits
    duo.right.jira.faults.clear()
    assert await late_writes.run_once(duo.world.ctx) == 0, "not at once"
    duo.world.clock.tick(writes_late_writes.AGAIN.total_seconds() + 1)
    assert await late_writes.run_once(duo.world.ctx) == 1


async def test_two_workers_correct_once(duo: Duo) -> None:
    duo.ann.link("P-1", "Blocks", "P-2")
    await given_up(duo, POST)
    await act_late(duo)
    await duo.world.deliver()
    await duo.world.look()
    async with duo.world.database.transaction() as conn:
        [intent] = await writes_late_writes.take(conn, now=duo.world.now())
    await duo.world.execute("UPDATE intents SET suspected_at = to_timestamp(0)")
    assert await late_writes.run_once(duo.world.worker()) == 1
    async with duo.world.database.transaction() as conn:
        again: list[tuple[int, Ended, str]] = [(intent.id, Status.APPLIED, "corrected_twice")]
        assert await writes_late_writes.correct(conn, again, now=duo.world.now()) == set()
    assert await incidents(duo) == CORRECTED
