"""What PostgreSQL does with those who leave a transaction alone, and what they hear of it."""

import asyncio

import pytest

from app.core.errors import TransientError
from app.store.pool import Database, open_pool


async def test_who_stops_inside_a_transaction_loses_its_locks(db_url: str) -> None:
    """Else a worker that is stopped under a connection's lock stops every other one."""
    stopped = Database(await open_pool(db_url, idle_seconds=0.2))
    other = Database(await open_pool(db_url))
    take = "SELECT pg_advisory_xact_lock(7)"
    held, got = asyncio.Event(), asyncio.Event()

    async def stop() -> None:
        async with stopped.transaction() as conn:
            await conn.execute(take)
            held.set()
            await got.wait()
            await conn.execute("SELECT 1")

    stopping = asyncio.create_task(stop())
    try:
        async with asyncio.timeout(30), other.transaction() as conn:
            await held.wait()
            await conn.execute(take)
        got.set()
        with pytest.raises(TransientError):
            await stopping
        async with stopped.transaction() as conn:
            assert await conn.fetchval("SELECT 1") == 1, "the pool has another connection"
    finally:
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        await stopped.close()
        await other.close()
