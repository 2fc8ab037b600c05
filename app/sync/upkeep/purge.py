"""Forgetting what has been kept long enough. The audit and the ledger are kept for ever."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from app.store.access import idempotency
from app.store.monitor import progress
from app.store.pool import Connection
from app.store.upkeep import purging, recorded_decisions, workers
from app.sync.runtime.context import Context

# Rows deleted by one transaction: a fraction of a second, so that no one waits for long.
BATCH = 10_000

Purge = Callable[[Connection, datetime, int], Awaitable[int]]


async def _answers(conn: Connection, now: datetime, limit: int) -> int:
    return await idempotency.purge(conn, now, limit=limit)


_PURGES: tuple[Purge, ...] = (
    purging.deliveries,
    purging.intents,
    purging.vanished,
    purging.resyncs,
    purging.dry_runs,
    purging.verifications,
    purging.write_minutes,
    purging.marks,
    purging.discoveries,
    progress.purge,
    recorded_decisions.purge,
    workers.purge,
    _answers,
)


async def run_once(ctx: Context) -> int:
    """Delete all that is old enough, batch by batch; answers how many rows went."""
    total = 0
    for purge in _PURGES:
        while True:
            async with ctx.database.transaction() as conn:
                gone = await purge(conn, ctx.clock(), BATCH)
            total += gone
            if gone < BATCH:
                break
    return total
