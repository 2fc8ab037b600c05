"""Pairs that go while something else is about to look at them, and pairs that come back."""

import asyncio

import pytest

from app.store.links import former_twins, twins
from app.sync.guard import unpairings
from app.sync.resync import walk
from tests.scenarios.conftest import TWINS, Duo
from tests.support.engine import World
from tests.support.waiting import until


async def test_a_comparison_leaves_out_what_is_unpaired_in_this_moment(duo: Duo) -> None:
    """It had listed the pair before; the others are looked at all the same."""
    world, gone = duo.world, duo.twins["P-1"]
    async with world.database.transaction() as conn:
        await twins.delete(conn, duo.connection, gone)
        comparing = asyncio.create_task(world.resync())
        await until(lambda: _somebody_waits(world), "the comparison at the pair that goes")
    await comparing
    work = await world.rows("SELECT twin_id FROM work WHERE connection_id = ANY($1::bigint[])")
    assert {row["twin_id"] for row in work} == set(duo.twins.values()) - {gone}


async def again(duo: Duo, left: str) -> int:
    return await duo.world.pair(duo.connection, ("left", left), ("right", TWINS[left]))


async def unpair(duo: Duo, left: str) -> None:
    await unpairings.unpair(duo.world.ctx, duo.connection, duo.twins[left], actor="ann")
    await duo.world.settle()


@pytest.mark.parametrize("ended", [["P-1"], ["P-2"], ["P-1", "P-2"], ["P-2", "P-1"]])
async def test_what_a_person_removed_stays_removed_over_an_unpairing(
    duo: Duo, ended: list[str]
) -> None:
    await duo.mirrored()
    duo.bob.unlink(duo.mirror)
    await duo.world.settle()
    assert await duo.world.states() == ["detached"]
    for left in ended:
        await unpair(duo, left)
    for left in ended:
        await again(duo, left)
    await duo.world.settle()
    await duo.world.resync()
    await duo.world.settle()
    assert not duo.right.jira.links, "never made again against a person's will"
    assert await duo.world.states() == ["detached"]


async def test_after_its_time_such_a_link_is_released_for_good(duo: Duo) -> None:
    await duo.mirrored()
    duo.bob.unlink(duo.mirror)
    await duo.world.settle()
    await unpair(duo, "P-1")
    assert await duo.world.states() == ["suspended"]
    duo.world.clock.tick(former_twins.KEPT.total_seconds() + 1)
    await unpairings.run_once(duo.world.ctx)
    assert await duo.world.states() == []
    assert await again(duo, "P-1") != duo.twins["P-1"]


async def test_an_unpaired_mirror_is_released_as_before(duo: Duo) -> None:
    await duo.mirrored()
    await unpair(duo, "P-1")
    assert await duo.world.states() == []
    assert await again(duo, "P-1") != duo.twins["P-1"]
    await duo.world.settle()
    assert await duo.world.states() == ["preexisting"]


async def test_a_pair_with_another_issue_takes_nothing_over(duo: Duo) -> None:
    """What a person removed was a link of that other issue."""
    await duo.mirrored()
    duo.bob.unlink(duo.mirror)
    await duo.world.settle()
    await unpair(duo, "P-1")
    await unpair(duo, "P-4")
    await duo.world.pair(duo.connection, ("left", "P-1"), ("right", "P-4"))
    await duo.world.settle()
    assert duo.right.jira.triples_of() == {("P-4", "Blocks", "P-3")}
    assert await duo.world.states() == ["suspended", "managed"]


async def _somebody_waits(world: World) -> bool:
    async with world.database.connection() as conn:
        return bool(
            await conn.fetchval(
                """SELECT EXISTS (SELECT 1 FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock')"""
            )
        )


async def test_a_pair_that_comes_back_under_its_id_ends_the_comparison(duo: Duo) -> None:
    """Its work begins again with the first generation: what the comparison waits for is over."""
    world, twin = duo.world, duo.twins["P-1"]
    for _ in range(3):
        await world.resync()
        await world.settle()
    resync = await walk.request(
        world.database, duo.connection, twin_ids=None, dry_run=False, requested_by="ann",
        now=world.now(), cause="revision",
    )  # fmt: skip
    await walk.run_once(world.ctx)
    async with world.database.transaction() as conn:
        await former_twins.put(conn, duo.connection, [twin], world.now())
    assert await world.pair(duo.connection, ("left", "P-1"), ("right", "P-2")) == twin
    for _ in range(20):
        await world.settle()
        world.clock.tick(60)
        await walk.run_once(world.ctx)
    [row] = await world.rows(
        f"SELECT status FROM resyncs WHERE id = {resync} AND $1::bigint[] IS NOT NULL"  # noqa: S608
    )
    assert row["status"] == "succeeded"
