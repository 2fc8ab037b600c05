"""Pairs that go while something else is about to look at them."""

import asyncio

from app.store.links import former_twins, twins
from app.sync.resync import walk
from tests.scenarios.conftest import Duo
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
