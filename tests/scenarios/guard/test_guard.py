"""Mass removal stops itself; modes, pauses and revisions keep what they promise."""

from datetime import timedelta

import pytest

from app.core.config import Direction, GuardLimits, Mode, WindowLimits
from app.sandbox import Fault
from app.store.config import active_connection, connections
from app.store.guard import held_plans as plans_held
from app.sync.guard import held_plans
from tests.scenarios.conftest import Build, Duo
from tests.support.engine import ACCOUNT

TIGHT = GuardLimits(WindowLimits(0.01, 10, 10), WindowLimits(0.05, 20, 20))


def removals(duo: Duo) -> int:
    return len(duo.right.jira.mutations.select("removed", ACCOUNT))


async def vanish(duo: Duo, count: int, start: int = 1) -> None:
    for number in range(start, start + count):
        duo.ann.unlink(f"P-{number}", "Blocks", f"P-{number + 1}")
    await duo.world.settle()


async def chained(build: Build, links: int, **changes: object) -> Duo:
    duo = await build(issues=links + 1, **changes)
    for number in range(1, links + 1):
        duo.ann.link(f"P-{number}", "Blocks", f"P-{number + 1}")
    await duo.world.settle()
    assert len(duo.right.ours) == links
    return duo


async def test_sixty_vanish_and_ten_go(build: Build) -> None:
    duo = await chained(build, 60, guard=TIGHT)
    await vanish(duo, 60)
    assert removals(duo) == 10
    held = await duo.world.held()
    assert len(held) == 50
    assert {it["status"] for it in held} == {"gathering"}
    async with duo.world.database.connection() as conn:
        state = await active_connection.load(conn, duo.connection)
    assert state is not None
    assert state.guard_tripped_at is not None
    duo.world.clock.tick(timedelta(days=2).total_seconds())
    await duo.world.resync()
    await duo.world.settle()
    assert removals(duo) == 10, "latched, whatever time passes"
    duo.ann.link("P-1", "Relates", "P-3")
    await duo.world.settle()
    assert ("P-1", "Relates", "P-3") in duo.right.jira.triples_of(), "creations go on"


async def test_windows_slide(build: Build) -> None:
    """Six, and within the hour six more: only four of them. The other two wait."""
    duo = await chained(build, 12, guard=TIGHT)
    await vanish(duo, 6)
    duo.world.clock.tick(1800)
    await vanish(duo, 6, start=7)
    assert removals(duo) == 10
    assert len(await duo.world.held()) == 2


async def test_a_window_frees_as_its_hour_passes_and_the_day_counts_on(build: Build) -> None:
    duo = await chained(build, 30, guard=TIGHT)
    await vanish(duo, 8)
    duo.world.clock.tick(3700)
    await vanish(duo, 8, start=9)
    assert removals(duo) == 16
    duo.world.clock.tick(3700)
    await vanish(duo, 8, start=17)
    assert removals(duo) == 20
    assert len(await duo.world.held()) == 4


async def test_reset_begins_anew(build: Build) -> None:
    duo = await chained(build, 12, guard=TIGHT)
    await vanish(duo, 12)
    assert removals(duo) == 10
    async with duo.world.database.transaction() as conn:
        await active_connection.lock(conn, duo.connection)
        await connections.reset_guard(conn, duo.connection, duo.world.now())
    await duo.world.resync()
    await duo.world.settle()
    assert removals(duo) == 12


async def test_all_connections_of_a_site_share_its_hour(build: Build) -> None:
    """200 an hour, whatever one connection's own limits allow."""
    generous = GuardLimits(WindowLimits(0.5, 500, 500), WindowLimits(0.5, 2000, 2000))
    duo = await chained(build, 210, guard=generous)
    await vanish(duo, 210)
    assert removals(duo) == 200
    assert len(await duo.world.held()) == 10


async def test_failed_removals_count_too(build: Build) -> None:
    """A slot is taken by the attempt: Jira may have acted all the same."""
    duo = await chained(build, 12, guard=TIGHT)
    duo.right.jira.faults.add(Fault("error_before", "DELETE", times=4))
    await vanish(duo, 12)
    assert removals(duo) <= 10


@pytest.mark.parametrize(
    ("mode", "made", "removed"),
    [
        (Mode.SHADOW, 0, 0),
        (Mode.CREATE_ONLY, 1, 0),
        (Mode.REVIEW, 1, 0),
        (Mode.LIVE, 1, 1),
    ],
)
async def test_modes(build: Build, mode: Mode, made: int, removed: int) -> None:
    duo = await build()
    origin = await duo.mirrored()
    async with duo.world.database.transaction() as conn:
        await active_connection.lock(conn, duo.connection)
        await connections.set_mode(conn, duo.connection, mode)
    before = len(duo.right.jira.mutations)
    duo.ann.unlink(origin)
    duo.ann.link("P-1", "Blocks", "P-3")
    await duo.world.settle()
    done = duo.right.jira.mutations.select(since=before)
    assert [it.kind for it in done].count("created") == made
    assert [it.kind for it in done].count("removed") == removed
    plans = await duo.world.rows(
        """SELECT p.kind, c.operation FROM plans p JOIN plan_changes c ON c.plan_id = p.id
           WHERE p.connection_id = ANY($1::bigint[]) ORDER BY c.operation"""
    )
    planned = {
        Mode.SHADOW: [("shadow", "create"), ("shadow", "remove")],
        Mode.REVIEW: [("removals", "remove")],
    }
    assert [(it["kind"], it["operation"]) for it in plans] == planned.get(mode, [])


async def test_what_is_judged_anew_leaves_the_plan(build: Build) -> None:
    duo = await build(mode=Mode.REVIEW)
    origin = await duo.mirrored()
    duo.ann.unlink(origin)
    await duo.world.settle()
    assert len(await duo.world.held()) == 1
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    assert await duo.world.held() == []


async def test_a_pause_holds_everything_and_loses_nothing(duo: Duo) -> None:
    origin = await duo.mirrored()
    await _pause(duo, paused=True)
    duo.ann.unlink(origin)
    duo.ann.link("P-1", "Blocks", "P-3")
    await duo.world.settle()
    assert len(duo.right.jira.mutations) == 1
    await _pause(duo, paused=False)
    await duo.world.settle()
    assert duo.right.jira.triples_of() == {("P-2", "Blocks", "P-1")}


async def test_a_pause_between_the_decision_and_the_intent(duo: Duo) -> None:
    """Once pausing has returned, no older intent commits."""
    origin = await duo.mirrored()
    duo.ann.unlink(origin)
    race = Fault("after", "GET", "^/issueLink/", times=1, action=lambda: _pause(duo, paused=True))
    duo.left.jira.faults.add(race)
    await duo.world.deliver()
    await duo.world.look()
    assert race.hits == 1
    assert len(duo.right.ours) == 1
    intents = await duo.world.rows(
        "SELECT operation FROM intents WHERE connection_id = ANY($1::bigint[])"
    )
    assert [it["operation"] for it in intents] == ["create"]


async def test_a_revision_between_the_decision_and_the_intent(duo: Duo) -> None:
    origin = await duo.mirrored()
    duo.ann.unlink(origin)

    async def revise() -> None:
        async with duo.world.database.transaction() as conn:
            state = await active_connection.lock(conn, duo.connection)
            assert state is not None
            await connections.append_revision(
                conn, duo.connection, state.config, author="x", note="", now=duo.world.now()
            )

    duo.left.jira.faults.add(Fault("after", "GET", "^/issueLink/", times=1, action=revise))
    await duo.world.deliver()
    await duo.world.look()
    assert len(duo.right.ours) == 1
    await duo.world.settle()
    assert not duo.right.jira.links


async def _pause(duo: Duo, *, paused: bool) -> None:
    async with duo.world.database.transaction() as conn:
        await active_connection.lock(conn, duo.connection)
        at = duo.world.now() if paused else None
        await connections.set_paused(conn, duo.connection, at=at, by="test" if paused else None)


async def test_an_approval_is_for_the_link_of_its_site(build: Build) -> None:
    """The mirrors on both sites have the same id. Approved is the left one alone."""
    duo = await build(mode=Mode.LIVE, direction=Direction.BOTH)
    duo.ann.link("P-5", "Blocks", "P-4")
    of_bob = duo.bob.link("P-3", "Blocks", "P-1")
    await duo.world.settle()
    of_ann = duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    (left,), (right,) = duo.left.ours, duo.right.ours
    assert left == right
    await duo.world.execute("UPDATE connections SET mode = 'review'")
    duo.bob.unlink(of_bob)
    await duo.world.settle()
    duo.world.clock.tick(60)
    await held_plans.run_once(duo.world.ctx)
    (waiting,) = await duo.world.held()
    async with duo.world.database.connection() as conn:
        digest = (await plans_held.value(conn, waiting["plan_id"])).digest
    plan_id = waiting["plan_id"]
    await held_plans.approve(
        duo.world.database, plan_id, digest, by="ann", note="", now=duo.world.now()
    )
    duo.ann.unlink(of_ann)
    await duo.world.settle()
    assert left not in duo.left.jira.links
    assert right in duo.right.jira.links
    waits = [it["site_id"] for it in await duo.world.held() if it["result"] is None]
    assert waits == [duo.right.id]
