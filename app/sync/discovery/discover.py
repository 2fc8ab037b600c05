"""Twins from a custom field that holds the other issue's key.

An event says *look at this issue's field*. What is done follows from what the field says now
and from every other claim on the same issue; two claims on one issue pair neither. A pair whose
field was cleared or names another issue is let go, as far as the guard has room: its links are
suspended, none is removed.
"""

from collections.abc import Iterable
from itertools import groupby

import structlog

from app.core.errors import PermanentError, TransientError
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.links import discoveries
from app.store.links.discoveries import Discovery
from app.store.queue import inbox_events
from app.sync.discovery import field_pair, field_read
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)

SIZE = 100
# Two bulk reads, and single look-ups of keys that moved.
LEASE = 120.0
LONGEST_BACK_OFF = 600.0
# A new issue may be missing from an index for some seconds, a hidden one is missing for good:
# about a minute, then the next event or comparison asks again.
TRIES_UNSEEN = 5
# No person waits for these.
BULK_CAUSES = frozenset({"poll", "resync"})


async def run_once(ctx: Context, *, connection_id: int | None = None) -> int:
    """Look at up to 100 due issues; answers how many there were. 0: none is due."""
    async with ctx.database.transaction() as conn:
        claimed = await discoveries.claim(
            conn, now=ctx.clock(), size=SIZE, lease=LEASE, connection_id=connection_id
        )
    claimed.sort(key=lambda it: (it.connection_id, it.side, int(it.issue)))
    for _, group in groupby(claimed, key=lambda it: (it.connection_id, it.side)):
        await _handle(ctx, list(group))
    return len(claimed)


async def _handle(ctx: Context, claimed: list[Discovery]) -> None:
    """One connection's and side's share of a claim; what fails is put off, never lost."""
    async with ctx.database.connection() as conn:
        state = await active_connection.load(conn, claimed[0].connection_id)
    if state is None or state.config.twins.side is not claimed[0].side:
        async with ctx.database.transaction() as conn:  # this side is not asked any more
            await discoveries.end(conn, claimed)
        return
    try:
        await _look(ctx, state, claimed)
    except (TransientError, PermanentError) as error:
        if error.code == "database_unavailable":
            raise
        _LOG.warning("discovery_put_off", connection=state.name, code=error.code)
        least = 60.0 if isinstance(error, PermanentError) else error.retry_after or 0.0
        await _put_off(ctx, claimed, least=least)
    except Exception:
        _LOG.exception("discovery_broke", connection=state.name, issues=len(claimed))
        if len(claimed) == 1:
            await _put_off(ctx, claimed, least=60.0)
        else:
            for it in claimed:
                await _handle(ctx, [it])


async def _look(ctx: Context, state: Running, claimed: list[Discovery]) -> None:
    side = claimed[0].side
    bulk = all(it.cause in BULK_CAUSES for it in claimed)
    found = await field_read.read(ctx, state, side, [it.issue for it in claimed], bulk=bulk)
    unseen = [it for it in claimed if found.unread.get(it.issue) == "not_returned"]
    async with ctx.database.connection() as conn:
        gone = await inbox_events.deleted_issues(
            conn, state.site(side), [it.issue for it in unseen]
        )
    if not await field_pair.commit(ctx, state, claimed, found, gone):
        await _put_off(ctx, claimed)
        return
    over = [it for it in unseen if it.issue in gone or it.tries >= TRIES_UNSEEN]
    async with ctx.database.transaction() as conn:
        await discoveries.end(conn, over)
    ended = {it.issue for it in over} | found.claims.keys()
    await _put_off(ctx, [it for it in claimed if it.issue not in ended])


async def _put_off(ctx: Context, claimed: Iterable[Discovery], *, least: float = 0.0) -> None:
    those = list(claimed)
    seconds = [max(least, min(LONGEST_BACK_OFF, 2.0 ** (it.tries + 1))) for it in those]
    async with ctx.database.transaction() as conn:
        await discoveries.put_off(conn, those, now=ctx.clock(), seconds=seconds)
