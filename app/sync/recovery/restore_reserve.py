"""The intent's transaction of a link that comes back: see `reserve` for what it has to be.

It is not based on a look: the claim on the plan's change takes the place of the claim
on a pair, and a plan that a person approved that of a decision. Mode and revision do not matter,
a pause does. A connection that was deleted still gets its links back, as unmanaged ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.core.config import TypePair
from app.core.ledger import UNTWINNED, LinkKey
from app.core.links import (
    Ends,
    IssueId,
    IssueKey,
    IssueRef,
    LinkType,
    PhysicalKey,
    Side,
    physical_key,
)
from app.core.operations import Operation, Status
from app.core.restore import crowded
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.links import twins
from app.store.links.twins import Twin
from app.store.pool import Connection
from app.store.queue.work import Cause
from app.store.recovery import restore_changes
from app.store.recovery.restore_changes import PlanLink
from app.store.writes import audit, intents, written_links
from app.store.writes.audit_entry import of_intent
from app.store.writes.intents import Intent, Purpose, Wanted
from app.sync.runtime.context import Context
from app.sync.writes.create import PER_ISSUE

# Another worker moved first, or is writing this link right now.
SOON = timedelta(seconds=1)
# Writes on one issue: Jira counts those of 2 s and of 30 s (docs/jira.md). A second and
# two more here, since an intent is older than its request.
WINDOWS = ((3.0, PER_ISSUE), (32.0, 100))
_NOWHERE = IssueRef(IssueId("0"), IssueKey(""))


@dataclass(frozen=True, slots=True)
class Returning:
    """A link that nothing prevents from coming back. `read_at` is Jira's Date of that reading."""

    link: PlanLink
    kind: LinkType
    read_at: datetime

    @property
    def physical(self) -> PhysicalKey:
        return physical_key(self.link.place.site, self.kind, self.link.ends)


async def reserve(
    ctx: Context, connection_id: int, returning: Sequence[Returning], started_at: datetime
) -> list[Intent]:
    """Open intents for what may go; the rest is put off. *started_at* (our clock) is from before
    the reading: what was written since may not show in it."""
    if not returning:
        return []
    async with ctx.database.transaction() as conn:
        now = ctx.clock()
        state = await active_connection.lock_any(conn, connection_id)
        stopped = state.paused or not ctx.permit.granted
        standing = [] if stopped else await _standing(conn, returning, started_at)
        # Other lanes have opened intents since we asked; under the lock none can.
        roomy = await with_room(conn, [it.link for it in standing], now)
        going = [it for it in standing if it.link in roomy]
        by_link = {it.physical: it for it in going}
        wanted = await _wanted(conn, state, list(by_link.values()))
        opened = await intents.insert(conn, state, wanted, now=now)
        if opened:
            entries = [_entry(state, intent, by_link[intent.wanted.physical]) for intent in opened]
            await audit.append(conn, state.id, state.name, entries, engine=ctx.engine, now=now)
        settled = {intent.wanted.physical for intent in opened}
        settled |= {it.physical for it in standing if it.link not in roomy}
        kept = [it.link.place for it in returning if it.physical not in settled]
        await restore_changes.put_off(conn, dict.fromkeys(kept, now + SOON))
    return opened


async def with_room(conn: Connection, links: Sequence[PlanLink], now: datetime) -> list[PlanLink]:
    """Those, of one site, whose issues Jira would let us write now; the others come back when
    it would. A write that waits for its issue's turn could miss its time, and leave a failed
    attempt behind."""
    if not links:
        return []
    site = links[0].place.site
    issues = sorted({end for it in links for end in (it.ends.source, it.ends.destination)})
    recent = await restore_changes.recent_writes(conn, site, issues, now, WINDOWS[-1][0])
    waits = crowded([it.ends for it in links], recent, WINDOWS)
    later = {
        it.place: now + timedelta(seconds=wait)
        for it, wait in zip(links, waits, strict=True)
        if wait > 0
    }
    await restore_changes.put_off(conn, later)
    return [it for it in links if it.place not in later]


async def _standing(
    conn: Connection, returning: Sequence[Returning], started_at: datetime
) -> list[Returning]:
    """Those whose claim holds, and whose link no other write has touched meanwhile."""
    ours = await restore_changes.standing(conn, [it.link for it in returning])
    physical = [it.physical for it in returning]
    touched = await written_links.open_at(conn, physical)
    touched |= await written_links.written_since(conn, physical, started_at)
    return [it for it in returning if it.link.place in ours and it.physical not in touched]


async def _wanted(conn: Connection, state: Running, returning: Sequence[Returning]) -> list[Wanted]:
    """Each with the twins that its ends have in this connection now, if any."""
    if not returning:
        return []
    side = state.side_of(returning[0].link.place.site)
    ends = {end for it in returning for end in (it.link.ends.source, it.link.ends.destination)}
    paired = await twins.by_issues(conn, state.id, side, ends)
    return [_placed(state, side, paired, it) for it in returning]


def _placed(state: Running, side: Side, paired: dict[IssueId, Twin], it: Returning) -> Wanted:
    link = it.link
    types = state.config.pair_of(side, it.kind.id)
    source, destination = paired.get(link.source.id), paired.get(link.destination.id)
    untwinned = Wanted(
        operation=Operation.CREATE,
        site=link.place.site,
        type_id=it.kind.id,
        source=link.source,
        destination=link.destination,
        physical=it.physical,
        key=UNTWINNED,
        right_type=UNTWINNED.left_type,
        origin=side.other,
        origin_link=None,
        origin_source=_NOWHERE,
        origin_destination=_NOWHERE,
        link_id=None,
        ledger_id=None,
        read_at=it.read_at,
        guarded=False,
        cause=Cause(*link.cause),
        plan_id=link.place.plan_id,
        purpose=_purpose(link),
    )
    if types is None or source is None or destination is None or source is destination:
        return untwinned
    origin = (destination, source) if types.reversed else (source, destination)
    return replace(
        untwinned,
        key=link_key(types, side, source, destination),
        right_type=types.right.id,
        origin_source=origin[0].on(side.other),
        origin_destination=origin[1].on(side.other),
    )


def link_key(types: TypePair, side: Side, source: Twin, destination: Twin) -> LinkKey:
    """The key of a link of *side* between these twins: ends as the left site orders them."""
    if side is Side.RIGHT and types.reversed:
        source, destination = destination, source
    left = Ends(source.left.id, destination.left.id)
    if left.canonical(symmetric=types.left.symmetric) != left:
        source, destination = destination, source
    return LinkKey(types.left.id, source.id, destination.id)


def _purpose(link: PlanLink) -> Purpose:
    return "restore" if link.was_managed else "rescue"


def _entry(state: Running, intent: Intent, it: Returning) -> audit.Entry:
    """With what the link was before, so that the audit alone says what has come back."""
    evidence = {
        **it.link.evidence,
        "mirror_read_at": it.read_at.isoformat(),
        "reason": it.link.kind,
    }
    managed = intent.wanted.purpose == "restore"
    return of_intent(
        state, intent, Status.INTENDED, evidence, managed=managed, type_name=it.kind.name
    )
