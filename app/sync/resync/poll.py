"""The net under lost webhooks: what changed lately by Jira's own account, and once a day all.

Each poll reaches ten minutes behind the start of the last one that succeeded, for indexes lag
and clocks differ; one an hour reaches twelve hours back, for some indexes lag for hours. A mark
per issue keeps that overlap from raising the same pairs again.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from app.core.errors import PermanentError, TransientError
from app.core.evidence import IssueView
from app.core.links import ProjectKey, Side
from app.jira.client import JiraClient
from app.store.config import active_connection, project_pins
from app.store.config.active_connection import Running
from app.store.links import claims, discoveries, twins
from app.store.monitor import candidates
from app.store.pool import Connection
from app.store.queue import polls, unseen_projects
from app.store.queue.polls import Due
from app.store.queue.work import Cause, raise_pairs
from app.sync.discovery.scan_fields import contradicted
from app.sync.resync import walk
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)

OVERLAP = timedelta(minutes=10)
WIDE_OVERLAP = timedelta(hours=12)
COMPARE_EVERY = timedelta(hours=24)
# Claims that contend, looked at once more with each poll: one bulk read.
CONTENDERS = 100


@dataclass(frozen=True, slots=True)
class _Here:
    """A connection and the side of it that is being polled."""

    state: Running
    side: Side

    @property
    def field(self) -> str | None:
        twins_from = self.state.config.twins
        return twins_from.field if twins_from.side is self.side else None

    @property
    def projects(self) -> tuple[ProjectKey, ...]:
        """Under the keys that they have now."""
        return self.state.projects(self.side).keys


async def run_once(ctx: Context) -> int:
    """Poll every site that is due; answers how many succeeded."""
    succeeded = 0
    while True:
        async with ctx.database.transaction() as conn:
            due = await polls.claim(conn, ctx.clock())
        if due is None:
            return succeeded
        succeeded += await _poll(ctx, due)


async def compare_due(ctx: Context) -> int:
    """Ask for the daily comparison of one connection that is due; answers 0 or 1. One a call:
    connections that were made together spread out, and stay so."""
    async with ctx.database.transaction() as conn:
        due = await polls.claim_comparison(conn, ctx.clock() - COMPARE_EVERY)
        if due is None:
            return 0
        # Its own transaction: a worker that dies before ours commits asks again, and joins it.
        await walk.request(
            ctx.database,
            due,
            twin_ids=None,
            dry_run=False,
            requested_by="twinlink",
            now=ctx.clock(),
            cause="daily",
        )
        await polls.compared(conn, due, ctx.clock())
    return 1


async def _poll(ctx: Context, due: Due) -> bool:
    start = ctx.clock()
    try:
        since = (due.until or start) - OVERLAP
        await _read(ctx, due, min(since, start - WIDE_OVERLAP) if due.wide else since)
    except (TransientError, PermanentError) as error:
        if error.code == "database_unavailable":
            raise
        least = error.retry_after or 0.0 if isinstance(error, TransientError) else 0.0
        async with ctx.database.transaction() as conn:
            again = await polls.put_off(conn, due, ctx.clock(), least=least)
        _LOG.warning("poll_put_off", site=due.name, code=error.code, again=again.isoformat())
        return False
    async with ctx.database.transaction() as conn:
        await polls.succeed(conn, due, start, ctx.clock())
    return True


async def _read(ctx: Context, due: Due, since: datetime) -> None:
    """One search per twin field; the first also covers all connections without one."""
    async with ctx.database.connection() as conn:
        at = await polls.connections_at(conn, due.site_id)
        loaded = [(await active_connection.load(conn, connection), side) for connection, side in at]
    here = [_Here(state, side) for state, side in loaded if state is not None]
    client = await ctx.sites.client(due.site_id)
    # An anonymous caller sees nothing: without this, an empty answer would count as polled.
    await client.assure()
    async with ctx.database.connection() as conn:
        before = await unseen_projects.of_site(conn, due.site_id)
    unseen = set(before)
    fields = sorted({it.field for it in here if it.field is not None})
    for number, field in enumerate(fields or [None]):
        asking = [it for it in here if number == 0 or it.field == field]
        projects = sorted({project for it in asking for project in it.projects})
        pages = client.search_issues(projects, updated_since=since, field=field, unseen=unseen)
        async for page in pages:
            async with ctx.database.transaction() as conn:
                await _take(conn, due, here, page, field, ctx.clock())
            async with ctx.database.connection() as conn:
                await polls.renew(conn, due, ctx.clock())
    followed = [await _follow(ctx, client, it, unseen) for it in here]
    unseen -= {key for keys in followed for key in keys}
    async with ctx.database.transaction() as conn:
        await _look_at_contenders(conn, here, ctx.clock())
        await _note_unseen(conn, ctx, due, here, before, unseen)


async def _follow(
    ctx: Context, client: JiraClient, it: _Here, unseen: set[ProjectKey]
) -> set[ProjectKey]:
    """Of the keys that Jira does not know, those whose project has another key now: it is followed,
    and the connection compared, since this poll has not read it. Answers the keys of before."""
    lost = [pin for pin in it.state.projects(it.side).pins if pin.key in unseen]
    shown = [(pin, await client.project_access(pin.id)) for pin in lost]
    renamed = [
        (pin, pin.renamed(now.key))
        for pin, now in shown
        if now.key is not None and now.id == pin.id and now.key != pin.key
    ]
    if renamed:
        async with ctx.database.transaction() as conn:
            news = [pin for _, pin in renamed]
            await project_pins.put(conn, it.state.id, it.side, news, ctx.clock())
            await _compare(conn, it, ctx.clock())
    return {pin.key for pin, _ in renamed}


async def _note_unseen(
    conn: Connection,
    ctx: Context,
    due: Due,
    here: Iterable[_Here],
    before: set[ProjectKey],
    unseen: set[ProjectKey],
) -> None:
    """Write down which projects Jira does not show us. One that it shows again is compared whole:
    what happened there meanwhile is behind the reach of a poll."""
    asked = {project for it in here for project in it.projects}
    now = ctx.clock()
    await unseen_projects.keep(conn, due.site_id, unseen & asked, now)
    back = (before & asked) - unseen
    for it in here:
        if back & set(it.projects):
            await _compare(conn, it, now)


async def _compare(conn: Connection, it: _Here, now: datetime) -> None:
    await walk.enqueue(
        conn,
        it.state.id,
        twin_ids=None,
        dry_run=False,
        cause="poll",
        requested_by="twinlink",
        now=now,
    )


async def _take(
    conn: Connection,
    due: Due,
    here: Iterable[_Here],
    page: Sequence[IssueView],
    field: str | None,
    now: datetime,
) -> None:
    """Raise the pairs of these issues, and the issues whose twin field says something new."""
    those = list(here)
    for it in those:
        pins = it.state.projects(it.side).news(page)
        await project_pins.put(conn, it.state.id, it.side, pins, now)
    await candidates.raise_updated(conn, due.site_id, {it.ref.id: it.updated for it in page}, now)
    paired = {
        it.state.id: await twins.by_issues(
            conn, it.state.id, it.side, [view.ref.id for view in page]
        )
        for it in those
    }
    known = {issue for pairs in paired.values() for issue in pairs}
    marks = {view.ref.id: mark(view) for view in page if view.ref.id in known}
    news = await polls.unseen(conn, due.site_id, marks, now) if marks else set()
    for it in those:
        pairs = sorted(twin.id for issue, twin in paired[it.state.id].items() if issue in news)
        if pairs:
            cause = Cause("poll", due.name)
            await raise_pairs(conn, it.state.id, pairs, cause=cause, now=now, bulk=True)
    for it in those:
        await _discover(conn, it, page, field, now)


async def _discover(
    conn: Connection, it: _Here, page: Sequence[IssueView], field: str | None, now: datetime
) -> None:
    side = it.state.config.twins.side
    if side is None:
        return
    if side is it.side:
        if it.field != field:
            return
        mine = [view for view in page if it.state.projects(side).hold(view)]
        issues = await contradicted(conn, it.state, mine, retry=False)
    else:
        # Targets that claims wait for: they exist now, or came into scope.
        keys = [view.ref.key for view in page]
        issues = await claims.waiting_for(conn, it.state.id, side, keys)
    await discoveries.raise_issues(conn, it.state.id, side, issues, cause="poll", now=now)


async def _look_at_contenders(conn: Connection, here: Iterable[_Here], now: datetime) -> None:
    """People end an ambiguity by deleting the clone, and a deleted issue is on no page."""
    for it in here:
        if it.field is not None:
            issues = await claims.ambiguous(conn, it.state.id, it.side, limit=CONTENDERS)
            await discoveries.raise_issues(
                conn, it.state.id, it.side, issues, cause="poll", now=now
            )


def mark(view: IssueView) -> bytes:
    """What of an issue can concern us, as a digest: key, project, archive, link ids."""
    links = "none" if view.links is None else ",".join(sorted(it.id for it in view.links))
    text = f"{view.ref.key} {view.project} {view.archived} {links}"
    return hashlib.sha256(text.encode()).digest()
