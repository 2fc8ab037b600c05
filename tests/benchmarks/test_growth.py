"""What a long history costs: every list with every filter and what workers ask by the clock, on a
short history and on a long one. Blocks are counted, so that the machine does not matter.

`TWINLINK_TEST_GROWTH` is the number of the long one's audit rows and deliveries; there are a tenth
as many twins, links, pairs of work and intents.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from tests.benchmarks.report import Report
from tests.store.growth import fill_unchecked, history
from tests.store.plans import carried
from tests.store.questions import hot, lists
from tests.support.servers import Database, Servers, fresh_database

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

SHORT = 20_000
LONG = int(os.environ.get("TWINLINK_TEST_GROWTH", "400000"))
# An index of a long history is a level or two deeper: of each probe one block more.
TIMES, MORE = 3.0, 200


@asynccontextmanager
async def _history(servers: Servers, template: Database, rows: int) -> AsyncIterator[asyncpg.Pool]:
    async with fresh_database(servers, template) as database:
        await fill_unchecked(servers, database, history(max(rows // 10, 10_000), rows))
        pool = await asyncpg.create_pool(database.run_url, min_size=1, max_size=1)
        async with pool:
            yield pool


async def _blocks(pool: asyncpg.Pool) -> dict[str, tuple[int, set[str]]]:
    found = {}
    async with pool.acquire() as conn:
        for name, call in {**lists(), **hot()}.items():
            those = await carried(conn, call)
            scans = {table for it in those for table in it.scans}
            found[name] = sum(it.blocks for it in those), scans
    return found


async def test_a_long_history_costs_what_a_short_one_does(
    servers: Servers, template_database: Database, report: Report
) -> None:
    async with _history(servers, template_database, SHORT) as pool:
        short = await _blocks(pool)
    async with _history(servers, template_database, LONG) as pool:
        long = await _blocks(pool)
    scans = {name: tables for name, (_, tables) in long.items() if tables}
    worst = max(long, key=lambda name: long[name][0] / (short[name][0] + MORE / TIMES))
    most = max(lists(), key=lambda name: long[name][0])
    report.note(f"growth: rows of the long history, {len(long)} calls", f"{LONG:,}")
    report.most("growth: calls that read a growing table whole", 0, len(scans))
    report.note("growth: blocks of the list that reads most", f"{long[most][0]}: {most}")
    report.note(
        "growth: the call that grows most", f"{short[worst][0]} to {long[worst][0]}: {worst}"
    )
    grown = {
        name: (short[name][0], blocks)
        for name, (blocks, _) in long.items()
        # A purge touches what it deletes, and there was nothing old enough in the short one.
        if blocks > TIMES * short[name][0] + MORE and not name.startswith("purge")
    }
    report.most("growth: calls that touch thrice the blocks", 0, len(grown))
    assert not scans
    assert not grown
