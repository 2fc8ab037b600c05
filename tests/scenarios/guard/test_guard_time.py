"""A removal counts in the guard's windows whatever the moment that it was begun in."""

import asyncio
from datetime import timedelta

from app.core.config import GuardLimits, WindowLimits
from app.store.config import active_connection, connections
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.guard.test_guard import chained, removals, vanish
from tests.support.waiting import until

FOUR = GuardLimits(WindowLimits(0.01, 4, 4), WindowLimits(0.05, 8, 8))


async def test_what_waits_while_the_guard_is_armed_counts_in_the_new_windows(
    build: Build,
) -> None:
    """Its transaction began before the reset, and gets the connection's lock after it."""
    duo = await chained(build, 9, guard=FOUR)
    for number in range(1, 4):
        duo.ann.unlink(f"P-{number}", "Blocks", f"P-{number + 1}")
    await duo.world.deliver()
    async with duo.world.database.transaction() as conn:
        await active_connection.lock(conn, duo.connection)
        looking = asyncio.create_task(duo.world.look())
        await until(lambda: _waits(duo), "the look waits for the connection's lock")
        await connections.reset_guard(conn, duo.connection, duo.world.now())
    await looking
    await duo.world.settle()
    assert removals(duo) == 3
    await vanish(duo, 6, start=4)
    assert removals(duo) == 4


async def _waits(duo: Duo) -> bool:
    async with duo.world.database.connection() as conn:
        waits: bool = await conn.fetchval(
            """SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
               AND datname = current_database() AND query LIKE '%FROM connections%')"""
        )
    return waits


async def test_a_clock_that_goes_back_opens_no_window(build: Build) -> None:
    """PostgreSQL's clock was set right: the last reset lies in the future now."""
    duo = await chained(build, 9, guard=FOUR)
    await _arm_and_go_back(duo)
    for start in (1, 4, 7):
        await vanish(duo, 3, start=start)
    assert removals(duo) == 4
    assert len(await duo.world.held()) == 5


async def _arm_and_go_back(duo: Duo) -> None:
    duo.world.clock.tick(timedelta(hours=2).total_seconds())
    async with duo.world.database.transaction() as conn:
        await active_connection.lock(conn, duo.connection)
        await connections.reset_guard(conn, duo.connection, duo.world.now())
    duo.world.clock.tick(-timedelta(minutes=30).total_seconds())


async def test_nor_for_mirrors_that_vanish(build: Build) -> None:
    duo = await chained(build, 9, guard=FOUR)
    await _arm_and_go_back(duo)
    for start in (1, 4, 7):
        for number in range(start, start + 3):
            duo.bob.unlink(f"P-{number}", "Blocks", f"P-{number + 1}")
        await duo.world.settle()
    assert (await duo.world.states()).count("detached") == 4
