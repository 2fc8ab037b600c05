"""Apply approved plans that put links back, as fast as the rate budget allows.

Several lanes claim chunks side by side, so that while one reads, the others write. Any number
of workers may do so: a claim has a lease and a fence, the intent's transaction asks for both
again, and what a killed worker leaves open is confirmed (``confirm``) before its link is
touched. Restores never wait for the guard, and go on in every mode: a person approved them.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import groupby

import structlog

from app.core.errors import PermanentError, TransientError
from app.core.links import IssueRef
from app.core.restore import MOST_TRIES, Obstacle, Ready, Unread
from app.store import restore_changes
from app.store.restore_changes import Place, PlanLink
from app.sync import undo
from app.sync.context import Context
from app.sync.create import site_types, write_all
from app.sync.restore_reserve import Returning, reserve, with_room
from app.sync.restore_survey import judged, read_ends

_LOG = structlog.get_logger(__name__)

# While one chunk is read and read back, the others keep the budget busy. Larger or more chunks
# would open intents that cannot be sent within their ten seconds when several workers share.
LANES = 4
CHUNK = 50
LEASE = 60.0
# A site that cannot be read puts its links off; whatever is wrong there is wrong for all.
SITE_AWAY = timedelta(seconds=5)


async def run_once(ctx: Context) -> int:
    """Until nothing is due; how many changes were taken."""
    first = await _claim(ctx)
    if not first:
        return 0
    taken = await asyncio.gather(
        _lane(ctx, first), *(_lane(ctx, []) for _ in range(LANES - 1)), return_exceptions=True
    )
    for it in taken:
        if isinstance(it, BaseException):
            raise it
    return sum(it for it in taken if isinstance(it, int))


async def _lane(ctx: Context, links: list[PlanLink]) -> int:
    total = 0
    while links or (links := await _claim(ctx)):
        total += len(links)
        links.sort(key=lambda it: (it.connection_id, it.place))
        for (connection_id, site, operation), group in groupby(
            links, key=lambda it: (it.connection_id, it.place.site, it.place.operation)
        ):
            await _apply(ctx, connection_id, site, operation, list(group))
        links = []
    return total


async def _claim(ctx: Context) -> list[PlanLink]:
    async with ctx.database.transaction() as conn:
        return await restore_changes.claim(conn, now=ctx.clock(), limit=CHUNK, lease=LEASE)


async def _apply(
    ctx: Context, connection_id: int, site: int, operation: str, links: list[PlanLink]
) -> None:
    try:
        free = await _with_room(ctx, links)
        if operation == "create":
            await _put_back(ctx, connection_id, site, free)
        else:
            await undo.take_back(ctx, connection_id, site, free)
    except (TransientError, PermanentError) as error:
        # What was being written is confirmed; the rest is claimed again.
        _LOG.warning("restore_put_off", site=site, code=error.code, links=len(links))
        await _put_off(ctx, [it.place for it in links], SITE_AWAY)


async def _with_room(ctx: Context, links: list[PlanLink]) -> list[PlanLink]:
    """Those whose issues Jira would let us write now: the others are not even read."""
    async with ctx.database.transaction() as conn:
        return await with_room(conn, links, ctx.clock())


async def _put_back(ctx: Context, connection_id: int, site: int, links: list[PlanLink]) -> None:
    """Read both ends, leave out what stands there or cannot be, make the rest, read back."""
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
    reserved = await reserve(ctx, connection_id, ready, started_at)
    if reserved:
        await write_all(ctx, connection_id, reserved, bulk=True)


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
