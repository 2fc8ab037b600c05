"""Take back links that we made, although their origins are there: an approved plan says so.

Only managed links of proven authorship, each through the guard's windows and read once more
right before the DELETE, which is the one of `remove`. What the windows leave over waits in a
plan of its own; once that is approved, it goes outside of them. The row stays, detached: its
origin must not make the link again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from app.core.connection.modes import may_write
from app.core.evidence import Reading
from app.core.ledger import Row, State
from app.core.links import Ends, LinkType, physical_key
from app.core.operations import Operation, Status
from app.core.results import HeirNotReady, Moved, Stale
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.links import ledger
from app.store.pool import Connection
from app.store.queue.work import Cause
from app.store.recovery import restore_changes, restores
from app.store.recovery.restore_changes import PlanLink
from app.store.writes import audit, intents, written_links
from app.store.writes.audit_entry import of_intent
from app.store.writes.intents import Intent, Wanted
from app.sync.guard.judge import judge
from app.sync.recovery.restore_reserve import SOON
from app.sync.recovery.restore_survey import reaches, read_ends
from app.sync.runtime.context import Context
from app.sync.sites.link_types import site_types
from app.sync.writes.delete import carry_out
from app.sync.writes.proposal import Proposal
from app.sync.writes.remove import move_to_heir


@dataclass(frozen=True, slots=True)
class Removing:
    """One link to be taken back, with the row that says it is ours."""

    link: PlanLink
    kind: LinkType
    proposal: Proposal

    @property
    def wanted(self) -> Wanted:
        return self.proposal.wanted

    @property
    def row(self) -> Row:
        assert self.proposal.row is not None
        return self.proposal.row


async def take_back(ctx: Context, connection_id: int, site: int, links: Sequence[PlanLink]) -> None:
    """Remove what of these links is still ours to remove."""
    if not links:
        return
    started_at = ctx.clock()
    client = await ctx.sites.client(site)
    await client.assure()
    types = {kind.id: kind for kind in await site_types(ctx, site)}
    reading = await read_ends(client, links)
    async with ctx.database.connection() as conn:
        state = await active_connection.load(conn, connection_id)
        rows = await ledger.by_mirrors(conn, connection_id, site, [it.link_id for it in links])
    removing: list[Removing] = []
    over = {}
    for link in links:
        row, kind = rows.get(link.link_id), types.get(link.place.type_id)
        why = _kept(link, row, kind, reading)
        if state is None:
            over[link.place] = "skipped:connection_deleted"
        elif row is None or kind is None or why is not None:
            over[link.place] = f"skipped:{why}"
        # A roll-back may itself have narrowed the scope.
        elif link.cause[0] != "rollback" and not reaches(
            state, link, [reading.issues[end] for end in link.both]
        ):
            over[link.place] = "skipped:out_of_scope"
        else:
            removing.append(_removing(state, link, row, kind, reading))
    async with ctx.database.transaction() as conn:
        await restore_changes.close(conn, over)
    removing = [it for it in removing if not await _moved(ctx, connection_id, it)]
    granted = await _reserve(ctx, connection_id, removing, started_at)
    if granted:
        await carry_out(ctx, connection_id, [(intent, it.kind) for intent, it in granted])
        await _verify(ctx, [it.link for _, it in granted])


def _kept(link: PlanLink, row: Row | None, kind: LinkType | None, reading: Reading) -> str | None:
    """Why this link stays."""
    if kind is None:
        return "type_gone"
    if row is None or not _managed(row):
        return "not_managed"
    if not row.proven:
        return "authorship_unknown"
    ends = (link.ends.source, link.ends.destination)
    return None if all(end in reading.issues for end in ends) else "issue_not_seen"


def _managed(row: Row) -> bool:
    """Also while it is suspended: a roll-back narrows the scope before its plan is approved."""
    return (row.former if row.state is State.SUSPENDED else row.state) is State.MANAGED


def _removing(
    state: Running, link: PlanLink, row: Row, kind: LinkType, reading: Reading
) -> Removing:
    side = state.side_of(link.place.site)
    source, destination = (
        reading.issues[end].ref for end in (link.ends.source, link.ends.destination)
    )
    wanted = Wanted(
        operation=Operation.REMOVE,
        site=link.place.site,
        type_id=kind.id,
        source=source,
        destination=destination,
        physical=physical_key(link.place.site, kind, Ends(source.id, destination.id)),
        key=row.key,
        right_type=row.right_type,
        origin=side.other,
        origin_link=row.link_on(side.other),
        # The origin's side plays no part in an undo: it is neither read nor proven absent.
        origin_source=source,
        origin_destination=destination,
        link_id=link.link_id,
        ledger_id=row.id,
        read_at=reading.at,
        guarded=not link.outside,
        cause=Cause(*link.cause),
        plan_id=link.place.plan_id,
        purpose="undo",
    )
    evidence = {**link.evidence, "mirror_read_at": reading.at.isoformat(), **row.author_evidence}
    return Removing(link, kind, Proposal(wanted, row, "undo", evidence=evidence))


async def _moved(ctx: Context, connection_id: int, it: Removing) -> bool:
    """Another connection whose origin keeps this link takes it over, without a DELETE. Where
    that one is not able to yet, the link stays as it is."""
    moved = await move_to_heir(ctx, connection_id, it.proposal)
    if moved is None:
        return False
    async with ctx.database.transaction() as conn:
        match moved:
            case Moved():
                await restore_changes.close(conn, {it.link.place: "skipped:moved"})
            case HeirNotReady():
                await restore_changes.close(conn, {it.link.place: "skipped:heir_not_ready"})
            case Stale():
                await restore_changes.put_off(conn, {it.link.place: ctx.clock() + SOON})
            case other:
                assert_never(other)
    return True


async def _reserve(
    ctx: Context, connection_id: int, removing: Sequence[Removing], started_at: datetime
) -> list[tuple[Intent, Removing]]:
    """The intent's transaction; see `restore_reserve`. The rest is left over, or claimed again."""
    if not removing:
        return []
    async with ctx.database.transaction() as conn:
        now = ctx.clock()
        await active_connection.lock_sites(conn, {it.link.place.site for it in removing})
        state = await active_connection.lock(conn, connection_id)
        going: list[Removing] = []
        if state is not None and not state.paused and ctx.permit.granted:
            sound = await _standing(conn, removing, started_at)
            if may_write(state.mode, Operation.REMOVE):
                going = await _guarded(conn, state, sound, now)
            else:
                await restore_changes.close(
                    conn, {it.link.place: f"skipped:mode_{state.mode}" for it in sound}
                )
        by_link = {it.proposal.wanted.physical: it for it in going}
        opened: list[Intent] = []
        if state is not None and going:
            wanted = [it.proposal.wanted for it in by_link.values()]
            opened = await intents.insert(conn, state, wanted, now=now)
            granted = [(intent, by_link[intent.wanted.physical]) for intent in opened]
            entries = [
                of_intent(state, intent, Status.INTENDED, it.proposal.told)
                for intent, it in granted
            ]
            await audit.append(conn, state.id, state.name, entries, engine=ctx.engine, now=now)
        gone = {intent.wanted.physical for intent in opened}
        kept = [it.link.place for it in removing if it.proposal.wanted.physical not in gone]
        await restore_changes.put_off(conn, dict.fromkeys(kept, now + SOON))
    return [(intent, by_link[intent.wanted.physical]) for intent in opened]


async def _standing(
    conn: Connection, removing: Sequence[Removing], started_at: datetime
) -> list[Removing]:
    ours = await restore_changes.standing(conn, [it.link for it in removing])
    rows = await ledger.versions(conn, [it.row for it in removing])
    physical = [it.proposal.wanted.physical for it in removing]
    touched = await written_links.open_at(conn, physical)
    touched |= await written_links.written_since(conn, physical, started_at)
    return [
        it
        for it in removing
        if it.link.place in ours
        and it.row.id in rows
        and it.proposal.wanted.physical not in touched
    ]


async def _guarded(
    conn: Connection, state: Running, sound: Sequence[Removing], now: datetime
) -> list[Removing]:
    """As many as the windows have room for. `review` holds nothing here: a person has
    reviewed this very plan."""
    outside = [it for it in sound if it.link.outside]
    inside = sorted(
        (it for it in sound if not it.link.outside), key=lambda it: it.proposal.wanted.physical
    )
    if not inside:
        return outside
    ruling = await judge(conn, state, inside, now)
    for reason, rest in ruling.held:
        decided = rest[0].link.place.plan_id
        plan_id = await restores.leave_over(conn, decided, state.id, reason=reason, now=now)
        await restore_changes.leave_over(conn, [it.link.place for it in rest], plan_id)
    return outside + ruling.going


async def _verify(ctx: Context, links: Sequence[PlanLink]) -> None:
    """Read back: what neither end lists any more is gone."""
    client = await ctx.sites.client(links[0].place.site)
    reading = await read_ends(client, links)
    listed = {link.id for view in reading.issues.values() for link in view.links or ()}
    seen = [
        it.place
        for it in links
        if it.link_id not in listed
        and all(end in reading.issues for end in (it.ends.source, it.ends.destination))
    ]
    async with ctx.database.transaction() as conn:
        await restore_changes.verify(conn, seen)
