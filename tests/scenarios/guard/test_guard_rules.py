"""What would leave none of a connection, and what would empty one issue, waits for a person."""

from datetime import timedelta

from app.core.config import Mode, OnIssueDeleted
from app.sandbox import Fault
from app.store.config import active_connection, connections
from app.sync.guard import held_plans
from app.sync.reconcile import loop
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.guard.guarding import (
    chain,
    decide,
    hub,
    planned,
    removals,
    state_of,
    waits_for,
)
from tests.support.engine import LEASE

# -- would leave none


async def test_all_of_three_at_once_stay(build: Build) -> None:
    duo, made = await chain(build, 3)
    for link in made:
        duo.ann.unlink(link)
    await duo.world.settle()
    assert removals(duo) == 0
    assert await waits_for(duo) == ["guard_leaves_none"] * 3
    assert (await state_of(duo)).guard_tripped_at is not None
    [told] = await duo.world.rows(
        """SELECT u.text FROM incidents i JOIN incident_updates u ON u.incident_id = i.id
           WHERE i.connection_id = ANY($1::bigint[]) AND i.kind = 'guard_tripped'"""
    )
    assert "would have left none" in told["text"]


async def test_two_of_two_go(build: Build) -> None:
    duo, made = await chain(build, 2)
    for link in made:
        duo.ann.unlink(link)
    await duo.world.settle()
    assert removals(duo) == 2


async def test_one_by_one_the_last_stays(build: Build) -> None:
    duo, made = await chain(build, 4)
    for link in made:
        duo.ann.unlink(link)
        await duo.world.settle()
        duo.world.clock.tick(5 * 3600)
    assert removals(duo) == 3
    assert await waits_for(duo) == ["guard_leaves_none"]


async def test_what_went_on_another_day_is_not_counted(build: Build) -> None:
    duo, made = await chain(build, 4)
    for link in made:
        duo.ann.unlink(link)
        await duo.world.settle()
        duo.world.clock.tick(13 * 3600)
    assert removals(duo) == 4


async def test_a_link_that_comes_and_goes_is_one(build: Build) -> None:
    duo, _ = await chain(build, 0)
    for _ in range(2):
        made = duo.ann.link("P-1", "Blocks", "P-2")
        await duo.world.settle()
        duo.world.clock.tick(3600)
        duo.ann.unlink(made)
        await duo.world.settle()
    assert removals(duo) == 2
    assert (await state_of(duo)).guard_tripped_at is None


async def test_a_reset_does_not_let_them_go_and_an_approval_does(build: Build) -> None:
    duo, made = await chain(build, 3)
    for link in made:
        duo.ann.unlink(link)
    await duo.world.settle()
    async with duo.world.database.transaction() as conn:
        await active_connection.lock(conn, duo.connection)
        await connections.reset_guard(conn, duo.connection, duo.world.now())
    await duo.world.resync()
    await duo.world.settle()
    assert removals(duo) == 0
    await decide(duo, "approve")
    assert removals(duo) == 3
    assert (await state_of(duo)).guard_tripped_at is None


async def test_deleted_issues_do_not_take_all_links_with_them(build: Build) -> None:
    duo, _ = await chain(build, 3, on_issue_deleted=OnIssueDeleted.REMOVE)
    root = duo.left.person("root")
    for number in (1, 3, 5):
        root.delete(f"P-{number}")
    await duo.world.settle()
    duo.world.clock.tick(120)
    await duo.world.resync()
    await duo.world.settle()
    assert removals(duo) < 3
    assert "guard_leaves_none" in await waits_for(duo)


# -- would empty one issue


async def test_an_issue_keeps_its_links_and_others_go_on(build: Build) -> None:
    """Nor does a new link at that issue make four of six of it."""
    duo, made = await hub(build, 5)
    for link in made[:4]:
        duo.ann.unlink(link)
    duo.ann.unlink("P-7", "Blocks", "P-8")
    await duo.world.settle()
    assert removals(duo) == 1
    assert await waits_for(duo) == ["issue_share"] * 4
    assert (await state_of(duo)).guard_tripped_at is None
    duo.ann.unlink("P-9", "Blocks", "P-10")
    duo.ann.link("P-1", "Relates", "P-9")
    await duo.world.settle()
    assert removals(duo) == 2
    assert ("P-1", "Relates", "P-9") in duo.right.jira.triples_of()


async def test_nor_does_a_week_in_which_nobody_decides(build: Build) -> None:
    """Four of seven are less than the share by then, but time is no approval."""
    duo, made = await hub(build, 5)
    for link in made[:4]:
        duo.ann.unlink(link)
    await duo.world.settle()
    await planned(duo)
    for other in ("P-7", "P-9"):
        duo.ann.link("P-1", "Blocks", other)
    await duo.world.settle()
    duo.world.clock.tick(timedelta(days=8).total_seconds())
    await held_plans.run_once(duo.world.ctx)
    await duo.world.settle()
    assert removals(duo) == 0
    assert await waits_for(duo) == ["issue_share"] * 4
    await decide(duo, "approve")
    assert removals(duo) == 4


async def test_less_than_four_fifths_go(build: Build) -> None:
    duo, made = await hub(build, 5)
    for link in made[:3]:
        duo.ann.unlink(link)
    await duo.world.settle()
    assert removals(duo) == 3
    assert await waits_for(duo) == []


async def test_a_drip_over_the_day_ends_at_four_fifths(build: Build) -> None:
    duo, made = await hub(build, 10)
    for link in made:
        duo.ann.unlink(link)
        await duo.world.settle()
        duo.world.clock.tick(2 * 3600)
    assert removals(duo) == 7
    assert await waits_for(duo) == ["issue_share"] * 3


async def test_what_is_held_at_once_does_not_go_one_by_one(build: Build) -> None:
    """A later look at one of the other ends asks for one link alone."""
    duo, made = await hub(build, 5)
    for link in made:
        duo.ann.unlink(link)
    await duo.world.settle()
    for number in range(2, 7):
        await duo.world.execute(
            "UPDATE work SET generation = generation + 1, look = true WHERE twin_id = $1",
            duo.twins[f"P-{number}"],
        )
        await duo.world.settle()
    assert removals(duo) == 0
    assert await waits_for(duo) == ["issue_share"] * 5
    duo.world.clock.tick(60)
    await held_plans.run_once(duo.world.ctx)
    await duo.world.resync()
    await duo.world.settle()
    assert removals(duo) == 0, "nor does what is sealed"


async def test_what_was_approved_at_an_issue_does_not_hold_its_next_link(build: Build) -> None:
    duo, made = await hub(build, 6)
    for link in made[:5]:
        duo.ann.unlink(link)
    await duo.world.settle()
    await decide(duo, "approve")
    assert removals(duo) == 5
    duo.ann.unlink(made[5])
    await duo.world.settle()
    assert removals(duo) == 6


async def test_what_was_rejected_at_an_issue_stays(build: Build) -> None:
    duo, made = await hub(build, 5)
    for link in made:
        duo.ann.unlink(link)
    await duo.world.settle()
    await decide(duo, "reject")
    duo.world.clock.tick(timedelta(days=2).total_seconds())
    await duo.world.resync()
    await duo.world.settle()
    assert removals(duo) == 0
    assert (await duo.world.states()).count("detached") == 5


async def test_in_review_each_waits_for_its_own_reason(build: Build) -> None:
    duo, made = await chain(build, 3, mode=Mode.REVIEW)
    for link in made:
        duo.ann.unlink(link)
    await duo.world.settle()
    assert await waits_for(duo) == ["review"] * 3
    assert (await state_of(duo)).guard_tripped_at is None


async def test_what_goes_under_another_mode_waits_in_no_plan(build: Build) -> None:
    duo, made = await chain(build, 3, mode=Mode.REVIEW)
    duo.ann.unlink(made[0])
    await duo.world.settle()
    await set_mode(duo, Mode.LIVE)
    await duo.world.resync()
    await duo.world.settle()
    assert removals(duo) == 1
    assert await duo.world.held() == []


async def test_a_plan_ends_although_its_link_was_forgotten_meanwhile(build: Build) -> None:
    """Somebody removed the mirror as well, and approved the plan after that."""
    duo, made = await chain(build, 3, mode=Mode.REVIEW)
    duo.ann.unlink(made[0])
    await duo.world.settle()
    await planned(duo)
    [waiting] = await duo.world.held()
    duo.bob.unlink(waiting["link_id"])
    await duo.world.settle()
    assert len(await duo.world.states()) == 2
    await decide(duo, "approve")
    [over] = await duo.world.held()
    assert (over["status"], over["result"]) == ("applied", "skipped:forgotten")


async def test_a_removal_that_is_under_way_leaves_its_link_to_nobody(build: Build) -> None:
    """While one worker's DELETE is on its way, another asks for the last link."""
    duo, made = await chain(build, 3)
    duo.ann.unlink(made[0])
    await duo.world.settle()
    duo.ann.unlink(made[1])
    await duo.world.deliver()

    async def meanwhile() -> None:
        duo.ann.unlink(made[2])
        await duo.world.deliver()
        await loop.run_once(duo.world.worker(), size=100, lease=LEASE)

    race = Fault("before", "DELETE", "^/issueLink/", times=1, action=meanwhile)
    duo.right.jira.faults.add(race)
    await duo.world.settle()
    assert race.hits == 1
    assert removals(duo) == 2
    assert await waits_for(duo) == ["guard_leaves_none"]


async def test_what_waits_for_another_reason_is_no_link_that_is_left(build: Build) -> None:
    duo, made = await hub(build, 5)
    await set_mode(duo, Mode.REVIEW)
    for link in made[:3]:
        duo.ann.unlink(link)
    await duo.world.settle()
    await planned(duo)
    await set_mode(duo, Mode.LIVE)
    duo.ann.unlink(made[3])
    await duo.world.settle()
    assert removals(duo) == 0
    assert await waits_for(duo) == ["review"] * 3 + ["issue_share"]


async def set_mode(duo: Duo, mode: Mode) -> None:
    async with duo.world.database.transaction() as conn:
        await active_connection.lock(conn, duo.connection)
        await connections.set_mode(conn, duo.connection, mode)
