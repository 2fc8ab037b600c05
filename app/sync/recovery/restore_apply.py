"""Apply approved plans that put links back, as fast as the rate budget allows.

Several lanes claim chunks side by side, so that while one reads, the others write. Any number
of workers may do so: a claim has a lease and a fence, the intent's transaction asks for both
again, and what a killed worker leaves open is confirmed (`confirm`) before its link is
touched. Restores never wait for the guard, and go on in every mode: a person approved them.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from typing import assert_never

import structlog

from app.core.errors import PermanentError, TransientError
from app.core.links import IssueRef
from app.core.operations import Operation, as_write
from app.core.restore import MOST_TRIES, Obstacle, Ready, Unread
from app.store.recovery import restore_changes
from app.store.recovery.restore_changes import Place, PlanLink
from app.sync.recovery import undo
from app.sync.recovery.restore_reserve import Returning, reserve, with_room
from app.sync.recovery.restore_survey import judged, read_ends
from app.sync.runtime.context import Context
from app.sync.sites.link_types import site_types
from app.sync.writes.create import write_all
from app.sync.writes.late_writes import Again, taken_away

_LOG = structlog.get_logger(__name__)

# Two lanes of a site send while the others read, read back and commit. If all sent at once, they
# would also end at once, and the budget would lie idle until they send again. Larger or more
# chunks would open intents that cannot be sent within their ten seconds when workers share.
LANES = 6
SENDING = 2
CHUNK = 50
LEASE = 60.0
# A site that cannot be read puts its links off; whatever is wrong there is wrong for all.
SITE_AWAY = timedelta(seconds=5)


async def run_once(ctx: Context) -> int:
    """Until nothing is due; how many changes were taken."""
    first = await _claim(ctx)
    if not first:
        return 0
    run = _Run(ctx)
    taken = await asyncio.gather(
        run.lane(first), *(run.lane([]) for _ in range(LANES - 1)), return_exceptions=True
    )
    for it in taken:
        if isinstance(it, BaseException):
            raise it
    return sum(it for it in taken if isinstance(it, int))


async def _claim(ctx: Context) -> list[PlanLink]:
    async with ctx.database.transaction() as conn:
        return await restore_changes.claim(conn, now=ctx.clock(), limit=CHUNK, lease=LEASE)


class _Run:
    """The lanes of one run, and which of them may send."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._sending: defaultdict[int, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(SENDING)
        )

    async def lane(self, links: list[PlanLink]) -> int:
        total = 0
        while links or (links := await _claim(self._ctx)):
            total += len(links)
            links.sort(key=lambda it: (it.connection_id, it.place))
            for place, group in groupby(
                links, key=lambda it: (it.connection_id, it.place.site, it.place.operation)
            ):
                await self._apply(*place, list(group))
            links = []
        return total

    async def _apply(
        self, connection_id: int, site: int, operation: Operation, links: list[PlanLink]
    ) -> None:
        try:
            free = await _with_room(self._ctx, links)
            match as_write(operation):
                case Operation.CREATE:
                    await _put_back(self._ctx, connection_id, site, free, self._sending[site])
                case Operation.REMOVE:
                    await undo.take_back(self._ctx, connection_id, site, free)
                case other:
                    assert_never(other)
        except (TransientError, PermanentError) as error:
            # What was being written is confirmed; the rest is claimed again.
            _LOG.warning("restore_put_off", site=site, code=error.code, links=len(links))
            await _put_off(self._ctx, [it.place for it in links], SITE_AWAY)


async def _with_room(ctx: Context, links: list[PlanLink]) -> list[PlanLink]:
    """Those whose issues Jira would let us write now: the others are not even read."""
    async with ctx.database.transaction() as conn:
        return await with_room(conn, links, ctx.clock())


async def _put_back(
    ctx: Context,
    connection_id: int,
    site: int,
    links: list[PlanLink],
    sending: asyncio.Semaphore,
) -> None:
    """Read both ends, leave out what is there or cannot be, make the rest, read back."""
    if not links:
        return
    started_at = ctx.clock()
    client = await ctx.sites.client(site)
    await client.assure()
    types = await site_types(ctx, site)
    reading = await read_ends(client, links)
    verdicts = await judged(ctx, client, links, reading, types)
    await _close(ctx, verdicts)
    ready = [
        Returning(_now(link, it.source.ref, it.destination.ref), it.kind, reading.at)
        for link, it in verdicts
        if isinstance(it, Ready)
    ]
    again = [Again(it.physical, None, it.link.place.plan_id) for it in ready]
    held = await taken_away(ctx, connection_id, again)
    ready = [it for it in ready if it.physical not in held]
    reserved = await reserve(ctx, connection_id, ready, started_at)
    if reserved:
        # Live: a person waits for it. What people do meanwhile waits behind the requests of these
        # lanes, less than a second; a bulk line would give turns away whenever we are busy.
        await write_all(ctx, connection_id, reserved, bulk=False, sending=sending)


def _now(link: PlanLink, source: IssueRef, destination: IssueRef) -> PlanLink:
    """Under the keys that its ends have now: a confirmation reads them under these."""
    return replace(link, source=source, destination=destination)


async def _close(
    ctx: Context, verdicts: Sequence[tuple[PlanLink, Ready | Obstacle | Unread]]
) -> None:
    """End what cannot come back; what could not be read is read again, a few times."""
    over: dict[Place, str] = {}
    again = []
    for link, it in verdicts:
        if isinstance(it, Obstacle):
            over[link.place] = f"skipped:{it.reason}"
        elif isinstance(it, Unread) and link.tries < MOST_TRIES:
            again.append(link.place)
        elif isinstance(it, Unread):
            over[link.place] = f"failed:{it.reason}"
    due = ctx.clock() + SITE_AWAY
    async with ctx.database.transaction() as conn:
        await restore_changes.close(conn, over)
        await restore_changes.put_off(conn, dict.fromkeys(again, due), counted=True)


async def _put_off(ctx: Context, places: Sequence[Place], wait: timedelta) -> None:
    due = ctx.clock() + wait
    async with ctx.database.transaction() as conn:
        await restore_changes.put_off(conn, dict.fromkeys(places, due))
