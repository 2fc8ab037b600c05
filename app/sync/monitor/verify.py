"""The monitor: whether each removal by our account in Jira's changelog is accounted for.

It looks by itself: candidates are issues of deliveries about removed links and of polls, the
witness is Jira's changelog, the measure is the audit. Of the ledger, of what was planned and of
the code that removes it knows nothing. What it finds pauses every connection of the site.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

import structlog

from app.core.errors import PermanentError, TransientError
from app.core.links import IssueId
from app.core.monitor import Judged, Verdict
from app.store.config import active_connection
from app.store.monitor import audited_removals, candidates, progress
from app.store.monitor.progress import Candidate
from app.store.pool import Connection
from app.sync.monitor import alarm
from app.sync.monitor import read as monitor_read
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)

# One bulk answer on Cloud.
BATCH = 100
LEASE = timedelta(minutes=2)
# A site that is away: later and later, for as long as it takes. Nothing is passed over.
AWAY = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 60, 300))
# An issue that does not come back, although its site answers, was deleted or hidden; the other
# end of each of its links is a candidate of its own.
UNSEEN = 3


@dataclass(frozen=True, slots=True)
class _Result:
    """One site's batch, judged up to `until`."""

    until: datetime
    judged: Mapping[IssueId, Sequence[Judged]]
    unread: Mapping[IssueId, str]


async def run_once(ctx: Context) -> int:
    """Take in what was delivered, then read every candidate that is due; answers how many
    removals were not accounted for."""
    async with ctx.database.connection() as conn:
        await candidates.know_sites(conn, ctx.clock())
        if not await candidates.anything(conn, ctx.clock()):
            return 0
    while await _take(ctx) == candidates.TAKEN:
        continue
    alarms = 0
    while claimed := await _claim(ctx):
        for site, group in groupby(claimed, key=lambda it: it.site):
            alarms += await _look(ctx, site, list(group))
    return alarms


async def _take(ctx: Context) -> int:
    async with ctx.database.transaction() as conn:
        return await candidates.take_deliveries(conn, ctx.clock())


async def _claim(ctx: Context) -> list[Candidate]:
    async with ctx.database.transaction() as conn:
        return await progress.claim(conn, now=ctx.clock(), size=BATCH, lease=LEASE)


async def _look(ctx: Context, site: int, claimed: Sequence[Candidate]) -> int:
    try:
        result = await _judge(ctx, site, claimed)
    except (TransientError, PermanentError) as error:
        if error.code == "database_unavailable":
            raise
        _LOG.warning("monitor_put_off", site=site, code=error.code, issues=len(claimed))
        await _put_off(ctx, claimed)
        return 0
    except Exception:
        # One site that breaks our code must not keep the others from being looked at.
        _LOG.exception("monitor_broke", site=site, issues=len(claimed))
        await _put_off(ctx, claimed)
        return 0
    return await _settle(ctx, site, claimed, result)


async def _judge(ctx: Context, site: int, claimed: Sequence[Candidate]) -> _Result:
    client = await ctx.sites.client(site)
    # An anonymous view of a changelog would show nothing of ours.
    await client.assure()
    begun = ctx.clock()
    since = {it.issue: it.since for it in claimed}
    seen = await monitor_read.read(ctx, client, since)
    judged = await monitor_read.judge(ctx, client, seen, since)
    return _Result(begun - monitor_read.AGAIN, judged, seen.unread)


async def _settle(ctx: Context, site: int, claimed: Sequence[Candidate], result: _Result) -> int:
    """Findings, pauses and the incident in one transaction with the end of the claims: whoever
    dies before has found nothing yet, and who comes next finds it."""
    again = [it for it in claimed if _worth_another_try(it, result.unread)]
    lost = [it for it in claimed if it.issue in result.unread and it not in again]
    read = [it for it in claimed if it.issue not in result.unread]
    async with ctx.database.transaction() as conn:
        fresh = await _note(conn, site, result.judged, ctx.clock())
        alarms = [it for it in fresh if it.verdict.alarming]
        if alarms:
            await alarm.stop(conn, site, alarms, ctx.clock())
        elif fresh:
            await alarm.ask(conn, site, fresh, ctx.clock())
        await audited_removals.suspect(conn, _late(result.judged), ctx.clock())
        await progress.lock(conn, claimed)
        await progress.settle(conn, read, result.until, ctx.clock())
        # What could not be seen stays unjudged: who sees it later begins where this began.
        await progress.settle(conn, lost, None, ctx.clock())
        await progress.put_off(conn, again, ctx.clock() + AWAY[1])
    _count(ctx, result.judged, fresh, lost)
    return len(alarms)


def _late(judged: Mapping[IssueId, Sequence[Judged]]) -> set[int]:
    """The writes that were given up and have acted since."""
    return {
        it.intent
        for those in judged.values()
        for it in those
        if it.verdict is Verdict.LATE and it.intent is not None
    }


def _worth_another_try(it: Candidate, unread: Mapping[IssueId, str]) -> bool:
    why = unread.get(it.issue)
    return why is not None and (why != "not_returned" or it.tries + 1 < UNSEEN)


async def _put_off(ctx: Context, claimed: Sequence[Candidate]) -> None:
    async with ctx.database.transaction() as conn:
        await progress.lock(conn, claimed)
        for it in claimed:
            delay = AWAY[min(it.tries, len(AWAY) - 1)]
            await progress.put_off(conn, [it], ctx.clock() + delay)


async def _note(
    conn: Connection, site: int, judged: Mapping[IssueId, Sequence[Judged]], now: datetime
) -> list[Judged]:
    """What is new, each removal once. Under the site's lock: both of its ends may be judged at
    the same time, in two processes."""
    found = [
        (issue, it)
        for issue, those in judged.items()
        for it in those
        if it.verdict not in {Verdict.ACCOUNTED, Verdict.LATE}
    ]
    if not found:
        return []
    await active_connection.lock_sites(conn, {site})
    return [it for issue, it in found if await progress.note(conn, site, issue, it, now)]


def _count(
    ctx: Context,
    judged: Mapping[IssueId, Sequence[Judged]],
    fresh: Sequence[Judged],
    lost: Sequence[Candidate],
) -> None:
    for it in fresh:
        ctx.metrics.monitor_removals.labels(it.verdict.value).inc()
        if it.verdict.alarming:
            ctx.metrics.unmanaged_links_removed.inc()
    for those in judged.values():
        accounted = sum(it.verdict is Verdict.ACCOUNTED for it in those)
        ctx.metrics.monitor_removals.labels(Verdict.ACCOUNTED.value).inc(accounted)
    ctx.metrics.monitor_unread.inc(len(lost))
