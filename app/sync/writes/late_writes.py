"""Writes that act after all, long after they were confirmed not to have: Jira held them up.

A look that finds a link of exactly our type and ends, or the monitor that sees a removal of ours,
*suspects* the write that was given up. Here Jira is asked again. If its changelog names our
account, and no outcome knows of it, a correcting outcome is added: the audit's last one counts.
What cannot be determined stays as it is: such a link is not ours to touch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import assert_never

import structlog

from app.core.errors import PermanentError, TransientError
from app.core.evidence import Reading
from app.core.incidents import Detail, Impact, IncidentKind
from app.core.ledger import Authorship, LinkKey
from app.core.links import Link, LinkId, LinkType, PhysicalKey, Side
from app.core.operations import Operation, Status
from app.core.removed_by import removers
from app.core.results import Retry, Stale
from app.jira.client import JiraClient
from app.store.config import active_connection
from app.store.queue.work import Cause, raise_pairs
from app.store.writes import late_writes, written_links
from app.store.writes.intents import Intent, Wanted
from app.sync.incidents import timeline
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context
from app.sync.sites.link_types import site_types
from app.sync.writes.confirm import both_ends_read, moved_ends, was_taken_away
from app.sync.writes.outcome import Outcome, settle
from app.sync.writes.read_back import find_created, listed_links, read_ends

_LOG = structlog.get_logger(__name__)


async def suspect(ctx: Context, look: Look) -> set[LinkKey]:
    """Links that are listed and that the ledger does not know, and that a create of ours may
    have made which was given up. Until that is known nothing may follow from them: with both
    directions open, our own mirror would be taken for an origin."""
    strange = _strange(look)
    if not strange:
        return set()
    async with ctx.database.connection() as conn:
        found = await late_writes.creates_at(conn, sorted(strange))
    if found:
        async with ctx.database.transaction() as conn:
            await late_writes.suspect(
                conn, {it for ids in found.values() for it in ids}, ctx.clock()
            )
    return {strange[physical] for physical in found}


def _strange(look: Look) -> dict[PhysicalKey, LinkKey]:
    found = {}
    for side in Side:
        for link in look.listed(side):
            key = look.key_of(side, link.type_id, link.ends)
            row = look.rows.get(key) if key is not None else None
            if key is not None and (row is None or row.link_on(side) != link.id):
                found[look.physical(key, side)] = key
    return found


@dataclass(frozen=True, slots=True)
class Again:
    """A create that is to be tried again at this place, and what for: an origin's link, or a plan
    that puts it back."""

    physical: PhysicalKey
    origin_link: LinkId | None
    plan_id: int | None

    def repeats(self, wanted: Wanted) -> bool:
        return (self.physical, self.origin_link, self.plan_id) == (
            wanted.physical,
            wanted.origin_link,
            wanted.plan_id,
        )


async def taken_away(
    ctx: Context, connection_id: int, again: Sequence[Again]
) -> dict[PhysicalKey, Stale | Retry]:
    """The places where nothing may be made again yet. `Stale`: an earlier try, which was confirmed
    not to have acted, did act, and another account has removed the link since; its outcome is
    corrected, as for any mirror that another account removed. `Retry`: that cannot be read. Raises
    what the Jira clients raise."""
    if not again:
        return {}
    async with ctx.database.connection() as conn:
        found = await late_writes.not_made(conn, connection_id, [it.physical for it in again])
    wanted = {it.physical: it for it in again}
    tries = {
        it.wanted.physical: it
        for it in reversed(found)
        if wanted[it.wanted.physical].repeats(it.wanted)
    }
    held: dict[PhysicalKey, Stale | Retry] = {}
    for site in sorted({it.site for it in tries}):
        here = [it for it in tries.values() if it.wanted.site == site]
        held |= await _taken_away(ctx, connection_id, site, here)
    return held


async def _taken_away(
    ctx: Context, connection_id: int, site: int, tries: Sequence[Intent]
) -> dict[PhysicalKey, Stale | Retry]:
    client = await ctx.sites.client(site)
    await client.assure()
    types = await site_types(ctx, site)
    reading = await read_ends(client, tries)
    moved = await moved_ends(ctx, client, tries, reading)
    held: dict[PhysicalKey, Stale | Retry] = {}
    acted = []
    for intent in tries:
        if not both_ends_read(intent, reading, moved):
            held[intent.wanted.physical] = Retry("unread")
        elif await was_taken_away(intent, reading, types, client):
            held[intent.wanted.physical] = Stale()
            code = "corrected_taken_away"
            acted.append(Outcome(intent, Status.NOOP, code, taken_away=True))
    await settle(ctx, connection_id, acted, corrects=True)
    return held


@dataclass(slots=True)
class _Judged:
    """Of one connection's suspects on one site. `cleared`: not their doing. `unclear` ones
    among them: the monitor saw a removal by our account, and no write of ours explains it."""

    acted: list[Outcome] = field(default_factory=list)
    cleared: list[Intent] = field(default_factory=list)
    unclear: list[Intent] = field(default_factory=list)


async def run_once(ctx: Context) -> int:
    """Ask about what is suspected; answers how many outcomes were corrected."""
    async with ctx.database.transaction() as conn:
        due = await late_writes.take(conn, now=ctx.clock())
    corrected = 0
    due.sort(key=lambda it: (it.connection_id, it.wanted.site))
    for (connection_id, site), group in groupby(
        due, key=lambda it: (it.connection_id, it.wanted.site)
    ):
        try:
            judged = await _judge(ctx, site, list(group))
        except (TransientError, PermanentError) as error:
            _LOG.warning("correction_put_off", code=error.code, site=site)
            continue
        await settle(ctx, connection_id, judged.acted, corrects=True)
        await _clear(ctx, connection_id, site, judged)
        corrected += len(judged.acted)
    return corrected


async def _clear(ctx: Context, connection_id: int, site: int, judged: _Judged) -> None:
    """Their pairs wait for this, and are looked at again."""
    if not judged.cleared:
        return
    twins = sorted({twin for it in judged.cleared for twin in it.wanted.key.twins})
    async with ctx.database.transaction() as conn:
        now = ctx.clock()
        await active_connection.lock_any(conn, connection_id)
        await raise_pairs(
            conn, connection_id, twins, cause=Cause("confirm", str(judged.cleared[0].id)), now=now
        )
        await late_writes.clear(conn, [it.id for it in judged.cleared], now)
        if judged.unclear:
            detail: Detail = {"links": len(judged.unclear), "verdicts": "late"}
            await timeline.open_or_note(
                conn,
                IncidentKind.REMOVAL_UNCLEAR,
                site_id=site,
                now=now,
                detail=detail,
                impact=Impact.MAJOR,
            )


async def _judge(ctx: Context, site: int, those: Sequence[Intent]) -> _Judged:
    client = await ctx.sites.client(site)
    await client.assure()
    types = await site_types(ctx, site)
    reading = await read_ends(client, those)
    moved = await moved_ends(ctx, client, those, reading)
    judged = _Judged()
    acted: set[PhysicalKey] = set()
    for intent in those:
        physical = intent.wanted.physical
        if not both_ends_read(intent, reading, moved):
            continue
        if physical in acted:
            judged.cleared.append(intent)  # one of several tries made it, and only one
            continue
        match intent.wanted.operation:
            case Operation.CREATE:
                found = find_created(intent, reading, types, client)
                await _judge_create(ctx, judged, intent, found)
            case Operation.REMOVE:
                await _judge_removal(ctx, judged, intent, reading, types, client)
            case other:
                assert_never(other)
        acted.update(it.intent.wanted.physical for it in judged.acted)
    return judged


async def _judge_create(
    ctx: Context, judged: _Judged, intent: Intent, found: Outcome | None
) -> None:
    """Acted: a link is there that is exactly the intent's, our account made it after its read,
    and no outcome knows it."""
    if found is not None and found.link_id and found.authorship is Authorship.OURS:
        async with ctx.database.connection() as conn:
            known = await late_writes.accounted(conn, intent.wanted.site, [found.link_id])
        if not known:
            judged.acted.append(replace(found, code=f"corrected_{found.code}"))
            return
    judged.cleared.append(intent)


async def _judge_removal(
    ctx: Context,
    judged: _Judged,
    intent: Intent,
    reading: Reading,
    types: Sequence[LinkType],
    client: JiraClient,
) -> None:
    """Acted: the link is gone, by our account, and no outcome knows it."""
    wanted = intent.wanted
    assert wanted.link_id is not None
    gone = await client.get_link(wanted.link_id) is None
    if gone and wanted.link_id in listed_links(intent, reading, types):
        return  # the listing lags behind
    async with ctx.database.connection() as conn:
        known = await written_links.removed_links(conn, wanted.site, [wanted.link_id])
    link = Link(wanted.link_id, wanted.type_id, wanted.source, wanted.destination)
    by = removers(reading.issues, link, types, wanted.read_at)
    if gone and not known and client.site.own.among(by):
        judged.acted.append(Outcome(intent, Status.APPLIED, "corrected_gone"))
        return
    judged.cleared.append(intent)
    if not known:
        judged.unclear.append(intent)
