"""A trip opens an incident that writes its own timeline, names the way back, and ends."""

import asyncio
from typing import Any

from app.core.config import Mode
from app.core.incidents import State
from app.store.config import active_connection, connections, revisions
from app.sync.incidents import timeline as incidents_timeline
from app.sync.incidents import watch as incidents_watch
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.guard.test_guard import TIGHT, chained, vanish


async def the_incident(duo: Duo) -> dict[str, Any]:
    found = await duo.world.rows("SELECT * FROM incidents WHERE connection_id = ANY($1::bigint[])")
    assert len(found) == 1
    return found[0]


async def timeline(duo: Duo) -> list[dict[str, Any]]:
    return await duo.world.rows(
        """SELECT u.* FROM incident_updates u JOIN incidents i ON i.id = u.incident_id
           WHERE i.connection_id = ANY($1::bigint[]) ORDER BY u.id"""
    )


async def messages(duo: Duo) -> list[str]:
    async with duo.world.database.connection() as conn:
        rows = await conn.fetch("SELECT title FROM notifications ORDER BY id")
    return [row["title"] for row in rows]


async def watch(duo: Duo) -> int:
    return await incidents_watch.run_once(duo.world.ctx)


async def settled(build: Build, links: int = 30) -> Duo:
    """An hour ago, so that its first revision is no reason for what happens now."""
    duo = await chained(build, links, guard=TIGHT)
    duo.world.clock.tick(3600)
    return duo


async def tripped(build: Build) -> Duo:
    duo = await settled(build)
    await vanish(duo, 30)
    return duo


async def test_a_trip_opens_one_with_its_intents(build: Build) -> None:
    """In the transaction that latches: before anybody looks, and told once."""
    duo = await tripped(build)
    it = await the_incident(duo)
    assert (it["kind"], it["state"], it["impact"]) == ("guard_tripped", "investigating", "minor")
    assert it["facts"] == {"window": "hour"}
    assert [entry["times"] for entry in await timeline(duo)] == [1]
    [said] = await messages(duo)
    assert said.startswith("[Twinlink minor] The guard holds removals: left-right-")


async def test_no_trip_no_incident(build: Build) -> None:
    duo = await chained(build, 12, guard=TIGHT)
    await vanish(duo, 9)
    assert await watch(duo) == 0


async def test_the_timeline_counts_and_names_what_came_before(build: Build) -> None:
    duo = await chained(build, 30, guard=TIGHT)
    await revise(duo)
    duo.world.clock.tick(600)
    await vanish(duo, 30)
    assert await watch(duo) == 1
    it, (_, entry) = await the_incident(duo), await timeline(duo)
    facts = it["facts"]
    assert it["state"] == "identified"
    assert (facts["removed"], facts["held"], facts["revision"]) == (10, 20, 2)
    assert facts["causes"] == "webhook 10"
    assert facts["engines"] == "twinlink/test"
    assert facts["correlated"].startswith("revision 2, active since 20")
    assert facts["first_removal"] <= facts["last_removal"]
    assert entry["detail"] == facts
    assert "10 removals went through, 20 are held." in entry["text"]


async def revise(duo: Duo, *, rollout: str = "full") -> None:
    async with duo.world.database.transaction() as conn:
        state = await active_connection.lock(conn, duo.connection)
        assert state is not None
        more: dict[str, Any] = {"author": "x", "note": "", "now": duo.world.now()}
        if rollout == "shadow":
            await revisions.shelve(conn, duo.connection, state.config, **more)
        else:
            await connections.append_revision(conn, duo.connection, state.config, **more)


async def test_the_revision_of_that_time_is_blamed_though_another_followed(build: Build) -> None:
    duo = await chained(build, 30, guard=TIGHT)
    await revise(duo, rollout="shadow")
    await revise(duo)
    duo.world.clock.tick(600)
    await vanish(duo, 30)
    duo.world.clock.tick(1)
    await revise(duo)
    assert await watch(duo) == 1
    facts = (await the_incident(duo))["facts"]
    assert facts["revision"] == 4
    assert facts["correlated"].startswith("revision 3, active since 20")
    assert facts["revision_before"] == 1


async def test_an_old_revision_is_not_blamed(build: Build) -> None:
    duo = await tripped(build)
    await watch(duo)
    it = await the_incident(duo)
    assert "correlated" not in it["facts"]
    assert it["state"] == "investigating"


async def test_an_engine_that_just_began_is(build: Build) -> None:
    duo = await settled(build)
    await duo.world.execute(
        "INSERT INTO engine_starts (engine, started_at) VALUES ('twinlink/1', $1)",
        duo.world.now(),
    )
    await duo.world.execute(
        "INSERT INTO engine_starts (engine, started_at) VALUES ('twinlink/2', $1)",
        duo.world.now(),
    )
    await vanish(duo, 30)
    await watch(duo)
    assert (await the_incident(duo))["facts"]["correlated"].startswith("engine twinlink/2")


async def test_many_watchers_write_one_timeline(build: Build) -> None:
    duo = await tripped(build)
    await duo.world.execute("DELETE FROM notification_keys")
    await asyncio.gather(*(incidents_watch.run_once(duo.world.worker()) for _ in range(6)))
    await the_incident(duo)
    assert len(await timeline(duo)) == 1
    duo.world.clock.tick(3600)
    await asyncio.gather(*(incidents_watch.run_once(duo.world.worker()) for _ in range(6)))
    assert len(await timeline(duo)) == 1, "nothing is new"


async def test_what_is_new_later_is_an_entry_of_its_own(build: Build) -> None:
    duo = await settled(build)
    await vanish(duo, 20)
    await watch(duo)
    duo.world.clock.tick(61)
    await vanish(duo, 10, start=21)
    await watch(duo)
    assert [entry["detail"]["held"] for entry in await timeline(duo)] == [10, 20]


async def rearm(duo: Duo) -> None:
    async with duo.world.database.transaction() as conn:
        await active_connection.lock(conn, duo.connection)
        await connections.reset_guard(conn, duo.connection, duo.world.now())


async def test_armed_again_it_is_watched_and_after_a_day_over(build: Build) -> None:
    duo = await tripped(build)
    await watch(duo)
    await rearm(duo)
    assert await watch(duo) == 1
    assert (await the_incident(duo))["state"] == "monitoring"
    duo.world.clock.tick(23 * 3600)
    assert await watch(duo) == 1
    duo.world.clock.tick(3600)
    assert await watch(duo) == 0
    it = await the_incident(duo)
    assert (it["state"], it["resolved_by"]) == ("resolved", "twinlink")
    assert [entry["state"] for entry in await timeline(duo)] == [
        "investigating",
        "monitoring",
        "resolved",
    ]


async def test_tripped_again_within_the_day_it_is_the_same_one(build: Build) -> None:
    duo = await settled(build)
    await vanish(duo, 15)
    await watch(duo)
    await rearm(duo)
    await watch(duo)
    await vanish(duo, 15, start=16)
    await watch(duo)
    it = await the_incident(duo)
    assert (it["state"], it["quiet_since"]) == ("investigating", None)


async def test_what_a_person_resolved_is_not_opened_for_the_same_trip(build: Build) -> None:
    duo = await tripped(build)
    await watch(duo)
    it = await the_incident(duo)
    await incidents_timeline.update(
        duo.world.database,
        it["id"],
        state=State.RESOLVED,
        impact=None,
        text="known",
        by="me",
        now=duo.world.now(),
    )
    assert await watch(duo) == 0
    await rearm(duo)
    duo.ann.link("P-1", "Relates", "P-2")
    await duo.world.settle()
    async with duo.world.database.transaction() as conn:
        await active_connection.lock(conn, duo.connection)
        await active_connection.trip(conn, duo.connection, "day", duo.world.now())
    assert await watch(duo) == 1, "this is another one"


async def test_each_held_plan_is_told_once(build: Build) -> None:
    duo = await build(mode=Mode.REVIEW)
    origin = await duo.mirrored()
    duo.ann.unlink(origin)
    await duo.world.settle()
    await duo.world.execute("UPDATE plans SET status = 'held', expires_at = now()")
    for _ in range(2):
        await watch(duo)
        duo.world.clock.tick(7200)
    [said] = await messages(duo)
    assert "1 changes of left-right-" in said
