"""A connection that is paused keeps its work, and no other connection's claims read it."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.store.alerts import absent_workers
from app.store.links import discoveries
from app.store.queue import due_work, work
from tests.store.growth import counted, fill_unchecked
from tests.support.servers import Database, Servers

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LEASE = NOW + timedelta(seconds=60)
PAUSED, BUSY = 1, 2
BACKLOG = 100_000
PAIRS = 30
# Of the index, of the table and of what a claimed row is written into, for each pair; and for what
# a claim reads once.
BLOCKS_A_PAIR, BLOCKS_A_CLAIM = 20, 60

_FILL = f"""
INSERT INTO sites (name, base_url, deployment, auth_kind, auth_sealed, webhook_secret_sealed)
    SELECT n, 'https://' || n || '.example.net', 'cloud', 'bearer', '', '' FROM
    unnest(ARRAY['left', 'right']) n;
INSERT INTO connections (name, left_site_id, right_site_id, revision, paused_at)
    VALUES ('paused', 1, 2, 1, '2026-05-01'), ('busy', 1, 2, 1, NULL);
INSERT INTO work (connection_id, twin_id, look, bulk, cause_kind, due_at)
    SELECT CASE WHEN i <= {BACKLOG} THEN {PAUSED} ELSE {BUSY} END, i, true, i % 2 = 0, 'webhook',
           timestamptz '2026-05-01 11:00+00' + (i / 1000.0) * interval '1 second'
    FROM generate_series(1, {BACKLOG + PAIRS}) i;
INSERT INTO discoveries (connection_id, side, issue_id, cause, due_at)
    SELECT connection_id, 'left', twin_id, 'webhook', due_at FROM work;
"""  # noqa: S608 - numbers of ours


Conn = asyncpg.pool.PoolConnectionProxy


@pytest.fixture
async def backlog(servers: Servers, database: Database, db: asyncpg.Pool) -> AsyncIterator[Conn]:
    """With the plan of no parameters, which serves any claim."""
    await fill_unchecked(servers, database, _FILL)
    async with db.acquire() as conn:
        await conn.execute("SET plan_cache_mode = force_generic_plan")
        yield conn
        await conn.execute("RESET plan_cache_mode")


async def _blocks(conn: Conn, query: str, *values: object) -> int:
    """Blocks that one statement touches, wherever it finds them; nothing of it is kept."""
    transaction = conn.transaction()
    await transaction.start()
    try:
        rows = await conn.fetch(f"EXPLAIN (ANALYZE, BUFFERS, COSTS off) {query}", *values)
    finally:
        await transaction.rollback()
    top = next(row[0] for row in rows if "Buffers:" in row[0])
    return sum(map(int, re.findall(r"(?:hit|read)=(\d+)", top)))


async def test_claims_read_nothing_of_a_paused_backlog(backlog: Conn, migrate_url: str) -> None:
    """With what ANALYZE knows of it, and without."""
    for known in (False, True):
        if known:
            owner = await asyncpg.connect(migrate_url)
            await owner.execute("ANALYZE")
            await owner.close()
        for look in (_claim, _claim_of_nothing, _discover, _late, _resumed):
            transaction = backlog.transaction()
            await transaction.start()
            await look(backlog)
            await transaction.rollback()


async def _claim(conn: Conn) -> None:
    blocks = await _blocks(conn, due_work.CLAIM, NOW, 100, 20, LEASE, 1, True, 10)
    assert blocks <= PAIRS * BLOCKS_A_PAIR + BLOCKS_A_CLAIM, blocks
    async with counted(conn) as reads:
        claimed = await work.claim(conn, now=NOW, size=100, lease=60)
    assert {it.connection_id for it in claimed} == {BUSY}
    assert len(claimed) == PAIRS
    assert reads.rows <= 6 * PAIRS, reads.rows


async def _claim_of_nothing(conn: Conn) -> None:
    assert len(await work.claim(conn, now=NOW, size=100, lease=60)) == PAIRS
    async with counted(conn) as reads:
        assert await work.claim(conn, now=NOW, size=100, lease=60) == []
    # What is under a lease is read to be passed over.
    assert reads.rows <= 4 * PAIRS, reads.rows
    blocks = await _blocks(conn, due_work.CLAIM, NOW, 100, 20, LEASE, 1, True, 10)
    assert blocks <= PAIRS + BLOCKS_A_CLAIM, blocks


async def _discover(conn: Conn) -> None:
    async with counted(conn) as reads:
        claimed = await discoveries.claim(conn, now=NOW, size=100, lease=60)
    assert {it.connection_id for it in claimed} == {BUSY}
    assert len(claimed) == PAIRS
    assert reads.rows <= 6 * PAIRS, reads.rows
    assert not await discoveries.claim(conn, now=NOW, size=9, lease=60, connection_id=PAUSED)


async def _late(conn: Conn) -> None:
    async with counted(conn) as reads:
        late = await absent_workers.late(conn, NOW)
    assert late is not None
    assert late.since == datetime(2026, 5, 1, 11, tzinfo=UTC) + timedelta(milliseconds=1)
    assert reads.rows <= 10


async def _resumed(conn: Conn) -> None:
    """What has waited longest comes first."""
    await conn.execute("UPDATE connections SET paused_at = NULL")
    async with counted(conn) as reads:
        claimed = await work.claim(conn, now=NOW, size=100, lease=60)
    assert {it.connection_id for it in claimed} == {PAUSED}
    assert len(claimed) == 100
    assert reads.rows <= 6 * 100
    assert sorted(it.twin_id for it in claimed if not it.bulk) == list(range(1, 160, 2))
