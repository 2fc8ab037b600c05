"""Pairs that go while something else is about to look at them."""

import asyncio

from app.store.links import twins
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
