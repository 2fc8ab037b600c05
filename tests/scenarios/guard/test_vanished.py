"""Mirrors that vanish by someone else's hand count as removals do, and can be put back."""

from typing import Any

from app.core.config import GuardLimits, OnMirrorRemoved, WindowLimits
from app.sandbox import Link
from app.sandbox.backup import back_up, restore
from app.store.config import connections
from app.sync.connections.switches import Switches
from app.sync.guard import held_plans, judge, vanished_mirrors
from app.sync.resync import walk
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.guard.guarding import chain, decide, planned, removals, state_of
from tests.scenarios.recovery.restoring import plan_of
from tests.support.engine import ACCOUNT

TIGHT = GuardLimits(WindowLimits(0.01, 10, 10), WindowLimits(0.05, 20, 20))


async def lost(duo: Duo, count: int) -> None:
    """Somebody else removes so many of our mirrors."""
    for number in sorted(duo.right.ours)[:count]:
        duo.bob.unlink(number)
    await duo.world.settle()


async def fifteen(build: Build, **changes: Any) -> tuple[Duo, list[Link]]:
    """Of twenty mirrors fifteen vanish, with room for ten."""
    duo, origins = await chain(build, 20, guard=TIGHT, **changes)
    await lost(duo, 15)
    return duo, origins


async def states(duo: Duo) -> dict[str, int]:
    found = await duo.world.states()
    return {state: found.count(state) for state in set(found)}


async def incident(duo: Duo) -> dict[str, Any]:
    [found] = await duo.world.rows(
        """SELECT facts FROM incidents WHERE kind = 'mirrors_vanished' AND state <> 'resolved'
           AND connection_id = ANY($1::bigint[])"""
    )
    facts: dict[str, Any] = found["facts"]
    return facts


async def used(duo: Duo) -> dict[str, int]:
    async with duo.world.database.connection() as conn:
        row = await connections.by_id(conn, duo.connection)
        assert row is not None
        seen = await judge.shown(conn, [row], duo.world.now())
    return {it.scope: it.used for it in seen[row.id]}


async def test_they_count_in_the_windows_of_removals(build: Build) -> None:
    duo, origins = await chain(build, 20, guard=TIGHT)
    await lost(duo, 6)
    assert await used(duo) == {"hour": 6, "day": 6, "left_site_hour": 0, "right_site_hour": 6}
    assert await states(duo) == {"managed": 14, "detached": 6}
    for link in origins[10:16]:
        duo.ann.unlink(link)
    await duo.world.settle()
    assert removals(duo) == 4
    assert len(await duo.world.held()) == 2
    assert (await used(duo))["hour"] == 10


async def test_above_the_limit_none_is_detached(build: Build) -> None:
    duo, _ = await fifteen(build)
    assert await states(duo) == {"managed": 10, "detached": 10}
    assert (await state_of(duo)).guard_tripped_at is not None
    facts = await incident(duo)
    assert (facts["vanished"], facts["withheld"]) == (10, 5)
    duo.world.clock.tick(90_000)
    await duo.world.resync()
    await duo.world.settle()
    assert await states(duo) == {"managed": 10, "detached": 10}, "whatever time passes"
    duo.ann.link("P-1", "Relates", "P-4")
    await duo.world.settle()
    assert ("P-1", "Relates", "P-4") in duo.right.jira.triples_of(), "creations go on"


async def test_nor_is_any_made_anew(build: Build) -> None:
    duo, _ = await fifteen(build, on_mirror_removed=OnMirrorRemoved.RECREATE)
    assert len(duo.right.jira.mutations.select("created", ACCOUNT)) == 20 + 10
    assert len(duo.right.ours) == 15
    assert await states(duo) == {"managed": 20}
    facts = await incident(duo)
    assert (facts["vanished"], facts["withheld"]) == (10, 5)
    await decide(duo, "approve")
    assert len(duo.right.ours) == 20
    assert await states(duo) == {"managed": 20}
    assert (await state_of(duo)).guard_tripped_at is None


async def test_a_resync_says_that_some_are_held(build: Build) -> None:
    duo, _ = await fifteen(build, on_mirror_removed=OnMirrorRemoved.RECREATE)
    await walk.request(
        duo.world.database,
        (await state_of(duo)).id,
        twin_ids=None,
        dry_run=False,
        requested_by="test",
        now=duo.world.now(),
    )
    for _ in range(20):
        await walk.run_once(duo.world.ctx)
        await duo.world.look()
        duo.world.clock.tick(1)
    [row] = await duo.world.rows(
        "SELECT status, held, created FROM resyncs WHERE connection_id = ANY($1::bigint[])"
    )
    assert dict(row) == {"status": "held", "held": 5, "created": 0}


async def test_the_plan_that_the_incident_names_puts_all_of_the_wave_back(build: Build) -> None:
    duo, origins = await fifteen(build)
    await planned(duo)
    plan = await plan_of(duo.world, (await incident(duo))["restore_plan"])
    assert (plan["kind"], plan["status"], plan["reason"]) == ("restore", "held", "mirrors_vanished")
    await decide(duo, "approve")
    assert duo.right.jira.triples_of() == duo.left.jira.triples_of()
    assert await states(duo) == {"managed": 20}
    assert (await state_of(duo)).guard_tripped_at is None
    for _ in range(2):
        await duo.world.resync()
        await duo.world.settle()
    assert len(duo.right.ours) == 20
    assert await vanished_mirrors.run_once(duo.world.ctx) == 0
    duo.ann.unlink(origins[0])
    await duo.world.settle()
    assert removals(duo) == 1, "and they are kept in step"


async def test_a_rejection_lets_them_stay_gone(build: Build) -> None:
    duo, _ = await fifteen(build)
    await decide(duo, "reject")
    assert await states(duo) == {"managed": 5, "detached": 15}
    assert (await state_of(duo)).guard_tripped_at is not None
    assert await used(duo) == {"hour": 10, "day": 10, "left_site_hour": 0, "right_site_hour": 10}
    await duo.world.resync()
    await duo.world.settle()
    await planned(duo)
    assert await duo.world.rows(
        "SELECT status FROM plans WHERE connection_id = ANY($1::bigint[])"
    ) == [{"status": "rejected"}]


async def test_a_plan_that_nobody_decides_is_made_anew(build: Build) -> None:
    duo, _ = await fifteen(build)
    await planned(duo)
    first = (await incident(duo))["restore_plan"]
    duo.world.clock.tick(8 * 86_400)
    await held_plans.run_once(duo.world.ctx)
    await planned(duo)
    second = (await incident(duo))["restore_plan"]
    assert second > first
    assert (await plan_of(duo.world, first))["status"] == "expired"
    assert (await plan_of(duo.world, second))["status"] == "held"
    assert (await state_of(duo)).guard_tripped_at is not None


async def test_a_reset_looks_at_each_again(build: Build) -> None:
    duo, _ = await fifteen(build)

    async def compare(*_: object, **__: object) -> None:
        raise AssertionError("a reset compares nothing")

    switches = Switches(duo.world.database, compare, lambda: None)  # type: ignore[arg-type]
    async with duo.world.database.connection() as conn:
        row = await connections.by_id(conn, duo.connection)
    assert row is not None
    await switches.reset_guard(row.name, by="ann", now=duo.world.now())
    await duo.world.settle()
    assert await states(duo) == {"managed": 5, "detached": 15}
    assert (await used(duo))["hour"] == 5
    assert (await state_of(duo)).guard_tripped_at is None


async def test_while_the_guard_is_tripped_none_is_detached(build: Build) -> None:
    duo, origins = await chain(build, 20, guard=TIGHT)
    for link in origins[:12]:
        duo.ann.unlink(link)
    await duo.world.settle()
    assert removals(duo) == 10
    await lost(duo, 1)
    duo.bob.unlink(max(duo.right.ours))
    await duo.world.settle()
    facts = await incident(duo)
    assert (facts["vanished"], facts["withheld"]) == (0, 1)
    await decide(duo, "approve")
    assert (await state_of(duo)).guard_tripped_at is None
    assert duo.right.jira.triples_of() == duo.left.jira.triples_of()


async def test_a_mirror_that_another_link_stands_in_for_counts_when_its_origin_goes(
    duo: Duo,
) -> None:
    origin = await duo.mirrored()
    duo.bob.unlink(duo.mirror)
    duo.bob.link("P-2", "Blocks", "P-3")
    duo.ann.unlink(origin)
    await duo.world.settle()
    assert await duo.world.states() == ["detached"]
    assert (await used(duo))["hour"] == 1


async def test_one_that_we_removed_ourselves_has_not_vanished(duo: Duo) -> None:
    """A removal was taken to have failed, and acted later."""
    await duo.mirrored()
    await duo.world.execute(
        """INSERT INTO intents (connection_id, site_id, operation, type_id, source_id, source_key,
               destination_id, destination_key, key_source_id, key_destination_id, link_id,
               left_type_id, right_type_id, source_twin_id, destination_twin_id, origin,
               origin_source_id, origin_source_key, origin_destination_id, origin_destination_key,
               guarded, cause_kind, cause_id, revision, state, outcome, created_at, send_before,
               confirm_after, closed_at)
           SELECT connection_id, site_id, 'remove', type_id, source_id, source_key,
               destination_id, destination_key, key_source_id, key_destination_id, $1,
               left_type_id, right_type_id, source_twin_id, destination_twin_id, origin,
               origin_source_id, origin_source_key, origin_destination_id, origin_destination_key,
               true, cause_kind, cause_id, revision, 'failed', 'confirmed_still_there',
               closed_at + interval '1 s', send_before, confirm_after, closed_at
           FROM intents WHERE connection_id = $2""",
        duo.mirror.id,
        duo.connection,
    )
    duo.bob.unlink(duo.mirror)
    await duo.world.settle()
    assert await duo.world.states() == ["detached"]
    assert (await used(duo))["hour"] == 1, "the slot that its removal had taken"
    assert await duo.world.rows("SELECT 1 FROM vanished_mirrors WHERE $1::bigint[] <> '{}'") == []


async def test_a_mirror_that_cannot_be_made_anew_takes_one_slot(build: Build) -> None:
    """However often it is tried."""
    duo = await build(on_mirror_removed=OnMirrorRemoved.RECREATE)
    await duo.mirrored()
    duo.right.jira.permit(ACCOUNT, "LINK_ISSUES", "P", allowed=False)
    duo.bob.unlink(duo.mirror)
    await duo.world.settle()
    await duo.world.execute("UPDATE work SET failure = NULL, failed_at = NULL")
    await duo.world.resync()
    await duo.world.settle()
    assert (await used(duo))["hour"] == 1


async def test_an_id_that_was_given_out_again_is_not_free_of_charge(duo: Duo) -> None:
    """Jira was restored from a backup: another mirror of ours gets the id of one that vanished, and
    vanishes as well."""
    backup = back_up(duo.right.jira)
    await duo.mirrored("P-1", "Blocks", "P-2")
    first = duo.mirror.id
    duo.bob.unlink(first)
    await duo.world.settle()
    assert (await used(duo))["hour"] == 1
    restore(duo.right.jira, backup)
    duo.world.clock.tick(60)
    await duo.mirrored("P-3", "Blocks", "P-4")
    assert duo.mirror.id == first
    duo.bob.unlink(first)
    await duo.world.settle()
    assert await states(duo) == {"detached": 2}
    assert (await used(duo))["hour"] == 2
