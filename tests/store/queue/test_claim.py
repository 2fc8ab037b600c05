"""What one claim takes: live pairs before bulk, and the pages of a resync whole."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.store.pool import Pool, open_pool
from app.store.queue import work
from app.store.queue.work import Cause, Claimed
from tests.support.deliveries import World, build_world
from tests.support.servers import Database

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PAGE = 100
CLAIMERS = 8


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    """As many connections as there are claimers, open already: they begin together."""
    made = await open_pool(database.run_url, low=CLAIMERS, high=CLAIMERS)
    async with made:
        yield made


async def _twins(db: asyncpg.Pool, world: World, count: int) -> list[int]:
    rows = await db.fetch(
        """INSERT INTO twins (connection_id, left_site_id, left_issue_id, left_key,
               right_site_id, right_issue_id, right_key, source)
           SELECT $1, $2, 1000 + n, 'A-' || n, $3, 1000 + n, 'B-' || n, 'api'
           FROM generate_series(1, $4::int) n RETURNING id""",
        world.connection,
        world.left,
        world.right,
        count,
    )
    return [row["id"] for row in rows]


async def _raise(
    db: asyncpg.Pool, world: World, twins: list[int], *, bulk: bool = False, at: datetime = NOW
) -> None:
    async with db.acquire() as conn, conn.transaction():
        cause = Cause("resync" if bulk else "webhook")
        await work.raise_pairs(conn, world.connection, twins, cause=cause, now=at, bulk=bulk)


async def _claim(pool: Pool, size: int = PAGE) -> list[Claimed]:
    async with pool.acquire() as conn:
        return await work.claim(conn, now=NOW, size=size, lease=60)


@pytest.mark.parametrize("_again", range(3))
async def test_claimers_at_once_take_whole_pages(db: asyncpg.Pool, pool: Pool, _again: int) -> None:
    world = await build_world(db, twins=0)
    twins = await _twins(db, world, 20 * PAGE)
    for page in range(0, 20 * PAGE, 10 * PAGE):
        at = NOW - timedelta(minutes=1, milliseconds=-page)
        await _raise(db, world, twins[page : page + 10 * PAGE], bulk=True, at=at)

    async def claims() -> list[list[Claimed]]:
        taken = []
        while claimed := await _claim(pool):
            taken.append(claimed)
        return taken

    claimed = await asyncio.gather(*(claims() for _ in range(CLAIMERS)))
    sizes = Counter(len(claim) for taken in claimed for claim in taken)
    assert sizes == {PAGE: 20}
    assert len({it.twin_id for taken in claimed for claim in taken for it in claim}) == 20 * PAGE


async def test_a_claim_of_nothing_is_one_statement(db: asyncpg.Pool, pool: Pool) -> None:
    await build_world(db)
    async with pool.acquire() as conn:
        await work.claim(conn, now=NOW, size=PAGE, lease=60)  # the driver learns its types
        said: list[str] = []
        with conn.query_logger(lambda it: said.append(it.query)):
            assert await work.claim(conn, now=NOW, size=PAGE, lease=60) == []
    assert len(said) == 1


async def test_live_pairs_come_first_and_a_fifth_is_bulk(db: asyncpg.Pool, pool: Pool) -> None:
    world = await build_world(db, twins=0)
    twins = await _twins(db, world, 40)
    await _raise(db, world, twins[:20], bulk=True, at=NOW - timedelta(hours=1))
    await _raise(db, world, twins[20:])
    taken = [Counter(it.bulk for it in await _claim(pool, 10)) for _ in range(5)]
    assert taken == [{True: 2, False: 8}, {True: 2, False: 8}, {True: 6, False: 4}, {True: 10}, {}]


async def test_a_claim_carries_what_the_row_held(db: asyncpg.Pool, pool: Pool) -> None:
    """Also what was on a row whose lease ran out: that one is looked at whole."""
    world = await build_world(db)
    await db.execute(
        """INSERT INTO work (connection_id, twin_id, look, causes, cause_kind, due_at, lease_until)
           VALUES ($1, $2, false, '{7,8}', 'webhook', $4, NULL),
                  ($1, $3, false, '{9}', 'webhook', $4, $4)""",
        world.connection,
        *world.twins[:2],
        NOW - timedelta(seconds=1),
    )
    [lapsed], [first] = await _claim(pool), await _claim(pool)
    assert (first.causes, first.look) == ((7, 8), False)
    assert (lapsed.causes, lapsed.look) == ((9,), True)
    assert first.fence > lapsed.fence > 0
    assert await _claim(pool) == []


async def test_what_was_lost_comes_apart_from_the_rest_and_in_ever_smaller_company(
    db: asyncpg.Pool, pool: Pool
) -> None:
    """Nothing is ever settled: each claim is lost."""
    world = await build_world(db, twins=0)
    twins = await _twins(db, world, 40)
    await _raise(db, world, twins[:25])
    await _raise(db, world, twins[25:], at=NOW + timedelta(seconds=90))

    async def claims(minutes: int, *, lost: bool = True) -> list[tuple[int, int]]:
        """How many pairs each claim took, and how often they were lost."""
        taken = []
        async with pool.acquire() as conn:
            at = NOW + timedelta(minutes=minutes)
            while some := await work.claim(conn, now=at, size=PAGE, lease=60, lost=lost):
                taken.append((len(some), some[0].lost))
                assert len({it.lost for it in some}) == 1
        return taken

    assert await claims(0) == [(25, 0)]
    assert await claims(2, lost=False) == [(15, 0)]
    assert await claims(4) == [(10, 1), (10, 1), (10, 1), (10, 1)]
    assert await claims(6) == [(1, 2)] * 40
    assert await claims(8) == [(40, 3)]


async def test_nothing_paused_or_put_off_is_claimed(db: asyncpg.Pool, pool: Pool) -> None:
    world = await build_world(db)
    await _raise(db, world, list(world.twins), at=NOW + timedelta(seconds=1))
    assert await _claim(pool) == []
    await db.execute("UPDATE work SET due_at = $1", NOW)
    await db.execute("UPDATE connections SET paused_at = $1", NOW)
    assert await _claim(pool) == []
    await db.execute("UPDATE connections SET paused_at = NULL")
    assert len(await _claim(pool)) == len(world.twins)
