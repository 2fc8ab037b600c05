"""What breaks is isolated: to its pair where that can be found out, to its connection at most.

A site that fails puts pairs off and concludes nothing. Where it fails on some issues and answers
for others, halves of a claim are looked at apart, down to the pair that cannot be read. A pair that
ends the process itself is found by the claims that were lost with it (`app.store.queue.work`).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import structlog

from app.core.errors import PermanentError, ServerFailed, TransientError
from app.core.links import Side
from app.store.config import active_connection
from app.store.links import twins
from app.store.queue import work
from app.store.queue.work import Claimed, Settlement
from app.sync.reconcile.settlement import broken, put_off, site_refused, unreadable, worker_lost
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)

Look = Callable[[Sequence[Claimed]], Awaitable[list[Settlement]]]
"""At pairs of one connection. What it raises concerns any of them, or all."""


async def looked_at(ctx: Context, claimed: Sequence[Claimed], look: Look) -> list[Settlement]:
    """One settlement a pair, whatever *look* raises. Pairs that ended their process each time are
    not looked at."""
    connection = claimed[0].connection_id
    if all(it.lost >= work.MOST_LOST for it in claimed):
        _LOG.error("pair_parked", connection=connection, pairs=len(claimed))
        return [worker_lost(it) for it in claimed]
    try:
        return await look(claimed)
    except ServerFailed as error:
        return await _where_it_fails(ctx, claimed, look, error)
    except TransientError as error:
        return _put_off(ctx, claimed, error)
    except PermanentError as error:
        _LOG.warning("look_refused", connection=connection, code=error.code, pairs=len(claimed))
        return [site_refused(it, error.code) for it in claimed]
    except Exception:
        _LOG.exception("look_broke", connection=connection, pairs=len(claimed))
        if len(claimed) == 1:
            return [broken(claimed[0])]
        # Whole: what the look that broke has done already must not hide what breaks.
        whole = [replace(it, look=True) for it in claimed]
        return [ended for half in _halves(whole) for ended in await looked_at(ctx, half, look)]


def _put_off(ctx: Context, claimed: Sequence[Claimed], error: TransientError) -> list[Settlement]:
    connection = claimed[0].connection_id
    _LOG.warning("look_put_off", connection=connection, code=error.code, pairs=len(claimed))
    return put_off(claimed, error.retry_after or 0.0, ctx.clock())


async def _where_it_fails(
    ctx: Context, claimed: Sequence[Claimed], look: Look, error: ServerFailed
) -> list[Settlement]:
    """Both halves once more. Where one succeeds, the cause is in the other; where both fail, the
    site is probably failing: two reads more is all that it is asked."""
    if len(claimed) == 1:
        if await _answers_for_another(ctx, claimed[0]):
            return [_unreadable(claimed[0])]
        return _put_off(ctx, claimed, error)
    ended: list[Settlement] = []
    failed: list[tuple[Sequence[Claimed], ServerFailed]] = []
    for half in _halves(claimed):

        async def half_look(some: Sequence[Claimed]) -> list[Settlement]:
            try:
                return await look(some)
            except ServerFailed as again:
                failed.append((some, again))
                return []

        ended += await looked_at(ctx, half, half_look)
    if len(failed) > 1:
        return ended + _put_off(ctx, [it for half, _ in failed for it in half], error)
    for half, again in failed:
        if len(half) == 1:
            ended.append(_unreadable(half[0]))
        else:
            ended += await _where_it_fails(ctx, half, look, again)
    return ended


def _halves(claimed: Sequence[Claimed]) -> tuple[Sequence[Claimed], Sequence[Claimed]]:
    middle = (len(claimed) + 1) // 2
    return claimed[:middle], claimed[middle:]


def _unreadable(claimed: Claimed) -> Settlement:
    _LOG.warning("pair_unreadable", connection=claimed.connection_id, twin=claimed.twin_id)
    return unreadable(claimed)


async def _answers_for_another(ctx: Context, claimed: Claimed) -> bool:
    """Whether both sites read the issues of another pair of this connection."""
    try:
        async with ctx.database.connection() as conn:
            state = await active_connection.load(conn, claimed.connection_id)
            other = await twins.neighbour(conn, claimed.connection_id, claimed.twin_id)
        if state is None or other is None:
            return False
        for side in Side:
            client = await ctx.sites.client(state.site(side))
            await client.read_issues([other.on(side).id], bulk=claimed.bulk)
    except (PermanentError, TransientError):
        return False
    return True


async def settle(ctx: Context, ended: Sequence[Settlement]) -> int:
    """Store how these looks ended; answers how many pairs are dirty still. A pair whose end cannot
    be stored keeps its lease; without PostgreSQL all do, and `TransientError` is raised."""
    for it in ended:
        ctx.metrics.looks.labels(_outcome(it)).inc()
    try:
        return await _store(ctx, ended)
    except TransientError as error:
        _LOG.warning("settle_put_off", code=error.code, pairs=len(ended))
        return await _store(ctx, ended)
    except Exception:
        _LOG.exception("settle_broke", pairs=len(ended))
    return sum([await _store_alone(ctx, it) for it in ended])


async def _store(ctx: Context, ended: Sequence[Settlement]) -> int:
    """To be repeated at will: a settled claim is not settled twice."""
    async with ctx.database.transaction() as conn:
        return await work.settle(conn, ended, now=ctx.clock())


async def _store_alone(ctx: Context, one: Settlement) -> int:
    try:
        return await _store(ctx, [one])
    except TransientError:
        raise
    except Exception:
        _LOG.exception("settle_broke", pairs=1, twin=one.claimed.twin_id)
        return 0


def _outcome(it: Settlement) -> str:
    if it.failure is not None:
        return "failed"
    if it.again is not None:
        return "again"
    return "waiting" if it.waiting else "done"
