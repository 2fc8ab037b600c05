"""The intent's transaction: the last place where a write can be refused, and the only one that
lets it go.

Under the connection's lock, in *later statements* (one statement's snapshot is older than the
lock it waits for; counting and inserting in one overshoots the guard's limit): pause, mode and
revision, our claim's fence, both twins and the ledger row by version, what was written to the
link since the look began, the guard's windows. Then intents in key order and their audit rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.core.config import Mode
from app.core.ledger import LinkKey, Row
from app.core.links import PhysicalKey
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.guard import held_plans
from app.store.guard.vanished import Gone
from app.store.links import ledger, twins
from app.store.pool import Connection
from app.store.writes import audit, intents, plans
from app.store.writes.intents import Intent, Wanted
from app.store.writes.plans import Planned
from app.sync.guard.judge import Ruling, judge
from app.sync.guard.vanished import admit
from app.sync.look.snapshot import Look
from app.sync.look.update_ledger import standing_claims
from app.sync.runtime.context import Context


@dataclass(frozen=True, slots=True)
class Proposal:
    """A write that a look proposes, with the row that it rests on and what was seen."""

    wanted: Wanted
    row: Row | None
    reason: str
    origin_physical: PhysicalKey | None = None
    evidence: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> LinkKey:
        return self.wanted.key


@dataclass(slots=True)
class Reserved:
    """``granted`` may be sent. ``held`` waits for a person; ``refused`` says why per key: ``stale``
    and ``busy`` are looked at again at once, ``elsewhere`` after a while, ``mode`` and
    ``failed:flapping`` are not."""

    granted: list[tuple[Intent, Proposal]] = field(default_factory=list)
    held: set[LinkKey] = field(default_factory=set)
    refused: dict[LinkKey, str] = field(default_factory=dict)


async def reserve(ctx: Context, look: Look, proposals: Sequence[Proposal]) -> Reserved:
    """Open intents for what may go. One transaction, so all of it holds or none."""
    out = Reserved()
    counting = {it.wanted.site for it in proposals if _removes(it) or _makes_anew(it)}
    async with ctx.database.transaction() as conn:
        now = ctx.clock()
        if counting:
            await active_connection.lock_sites(conn, counting)
        state = await active_connection.lock(conn, look.running.id)
        stale = state is None or state.paused or state.revision != look.running.revision
        if state is None or stale or not ctx.permit.granted:
            out.refused = {it.key: "stale" for it in proposals}
            return out
        sound = await _sound(conn, ctx, look, state, proposals, out)
        going = await _made(conn, ctx, state, sound, out, now)
        going += await _guarded(conn, ctx, state, sound, out, now)
        await _open(conn, ctx, state, going, out, now)
    return out


async def hold(ctx: Context, look: Look, proposals: Sequence[Proposal], reason: str) -> None:
    """Put removals into the plan that waits for a person, without asking the guard."""
    async with ctx.database.transaction() as conn:
        state = await active_connection.lock(conn, look.running.id)
        if state is not None:
            await _hold(conn, ctx, state, proposals, reason, ctx.clock())


async def _sound(
    conn: Connection,
    ctx: Context,
    look: Look,
    state: Running,
    proposals: Sequence[Proposal],
    out: Reserved,
) -> list[Proposal]:
    """The proposals whose grounds all stand still; the others get their reason."""
    ours = await standing_claims(conn, look, ctx)
    ends = {twin for it in proposals for twin in it.key.twins}
    twins_standing = await twins.standing(conn, [look.twins[twin] for twin in ends])
    rows_standing = await ledger.versions(conn, [it.row for it in proposals if it.row])
    new = [it.key for it in proposals if it.row is None]
    occupied = await ledger.occupied(conn, state.id, new)
    physical = [it.wanted.physical for it in proposals]
    origins = [it.origin_physical for it in proposals if it.origin_physical is not None]
    open_now = await intents.open_at(conn, physical + origins)
    written = await intents.written_since(conn, physical, look.started_at)
    elsewhere = await _managed_elsewhere(conn, state, proposals)
    flapping = await intents.flapping(conn, physical, ctx.clock())

    def _stands(it: Proposal) -> bool:
        row_stands = it.row.id in rows_standing if it.row else it.key not in occupied
        return (
            row_stands
            and not ours.isdisjoint(it.key.twins)
            and twins_standing.issuperset(it.key.twins)
            and it.wanted.physical not in written
        )

    sound = []
    for it in proposals:
        if not may_write(state.mode, it.wanted.operation):
            out.refused[it.key] = "mode"
        elif not _stands(it):
            out.refused[it.key] = "stale"
        elif it.wanted.physical in open_now or it.origin_physical in open_now:
            out.refused[it.key] = "busy"
        elif it.key in elsewhere:
            out.refused[it.key] = "elsewhere"
        elif it.wanted.physical in flapping:
            out.refused[it.key] = "failed:flapping"
        else:
            sound.append(it)
    return sound


def may_write(mode: Mode, operation: str) -> bool:
    """Whether a mode lets this kind of write be proposed. ``review`` holds every removal."""
    if operation == "create":
        return mode is not Mode.SHADOW
    return mode in (Mode.REVIEW, Mode.LIVE)


async def _managed_elsewhere(
    conn: Connection, state: Running, proposals: Iterable[Proposal]
) -> set[LinkKey]:
    """Links to be made whose place another row holds, or whose origin is by now a link that
    another connection manages: that row must settle first."""
    creates = [it for it in proposals if it.wanted.operation == "create"]
    managed = await ledger.managed_keys(conn, [it.wanted.physical for it in creates])
    held_up = set()
    for it in creates:
        owner = managed.get(it.wanted.physical)
        if owner is not None and (it.row is None or owner[1].id != it.row.id):
            held_up.add(it.key)
        origin = it.wanted.origin_link
        site = state.site(it.wanted.origin)
        if origin is not None and await ledger.managed_elsewhere(conn, state.id, site, [origin]):
            held_up.add(it.key)
    return held_up


def _removes(it: Proposal) -> bool:
    return it.wanted.operation == "remove"


def _makes_anew(it: Proposal) -> bool:
    """In place of a mirror that vanished by someone else's hand (row 5)."""
    return it.wanted.operation == "create" and it.row is not None


async def _made(
    conn: Connection,
    ctx: Context,
    state: Running,
    sound: Sequence[Proposal],
    out: Reserved,
    now: datetime,
) -> list[Proposal]:
    """The creates; those in place of vanished mirrors as far as the guard has room for these."""
    gone = {it.key: _gone(it) for it in sound if _makes_anew(it)}
    withheld = await admit(conn, ctx, state, list(gone.values()), now)
    out.held |= {key for key, it in gone.items() if it.mirror in withheld}
    return [it for it in sound if not _removes(it) and it.key not in out.held]


def _gone(it: Proposal) -> Gone:
    assert it.row is not None
    assert it.row.mirror_id is not None
    wanted = it.wanted
    mirror = (wanted.site, it.row.mirror_id)
    return Gone(mirror, wanted.type_id, wanted.source, wanted.destination, it.key)


async def _guarded(
    conn: Connection,
    ctx: Context,
    state: Running,
    sound: Sequence[Proposal],
    out: Reserved,
    now: datetime,
) -> list[Proposal]:
    """The removals that a person approved or the guard lets go; the rest is held."""
    asked = [it for it in sound if _removes(it)]
    approved, removals = await _decided(conn, state, asked, out)
    if not removals:
        return approved
    if state.mode is Mode.REVIEW:
        ruling = Ruling([], [("review", removals)])
    elif state.first_pass:
        ruling = Ruling([], [("long_pause", removals)])
    else:
        ruling = await judge(conn, state, removals, now)
    for reason, rest in ruling.held:
        await _hold(conn, ctx, state, rest, reason, now)
        out.held |= {it.key for it in rest}
    return approved + ruling.going


async def _decided(
    conn: Connection, state: Running, asked: Sequence[Proposal], out: Reserved
) -> tuple[list[Proposal], list[Proposal]]:
    """What a person approved goes outside the windows; what waits in a sealed plan goes on
    waiting there; the rest, in key order, is the guard's to judge."""
    if not asked:
        return [], []
    mirrors = [mirror for it in asked if (mirror := it.wanted.mirror) is not None]
    plan_of = await held_plans.approved(conn, state.id, mirrors)
    waiting = await held_plans.held_mirrors(conn, state.id, mirrors)
    approved, rest = [], []
    for it in sorted(asked, key=lambda each: each.wanted.physical):
        mirror = it.wanted.mirror
        if mirror is not None and mirror in plan_of:
            wanted = replace(it.wanted, guarded=False, plan_id=plan_of[mirror])
            approved.append(replace(it, wanted=wanted))
        elif mirror in waiting:
            out.held.add(it.key)
        else:
            rest.append(it)
    return approved, rest


async def _hold(
    conn: Connection,
    ctx: Context,
    state: Running,
    proposals: Sequence[Proposal],
    reason: str,
    now: datetime,
) -> None:
    if not proposals:
        return
    plan_id = await plans.gathering(conn, state, "removals", reason=reason, now=now)
    changes = [planned(it, it.reason, held_for=reason) for it in proposals]
    added = await plans.put(conn, plan_id, changes, now=now)
    ctx.metrics.guard_held.labels(state.name).inc(added)


def planned(it: Proposal, reason: str, **more: str) -> Planned:
    """The proposal as a plan shows it, with *more* evidence."""
    wanted = it.wanted
    return Planned(
        wanted.operation,
        wanted.site,
        wanted.type_id,
        wanted.source,
        wanted.destination,
        wanted.link_id,
        wanted.key,
        reason,
        {**it.evidence, **more},
    )


async def _open(
    conn: Connection,
    ctx: Context,
    state: Running,
    going: Sequence[Proposal],
    out: Reserved,
    now: datetime,
) -> None:
    by_link = {it.wanted.physical: it for it in going}
    opened = await intents.insert(conn, state, [it.wanted for it in by_link.values()], now=now)
    for intent in opened:
        out.granted.append((intent, by_link.pop(intent.wanted.physical)))
    out.refused.update({it.key: "busy" for it in by_link.values()})
    # What the guard lets go now waits in no plan any more: it was held under another mode.
    let_go = [intent.wanted.key for intent in opened if intent.wanted.guarded]
    if let_go:
        await plans.drop(conn, state.id, let_go)
    if opened:
        entries = [entry(state, intent, "intended", proposal) for intent, proposal in out.granted]
        await audit.append(conn, state.id, state.name, entries, engine=ctx.engine, now=now)


def entry(
    state: Running, intent: Intent, status: str, proposal: Proposal | None = None, **more: str
) -> audit.Entry:
    """The audit row of an intent (``intended``) or of its outcome."""
    wanted = intent.wanted
    side = state.side_of(wanted.site)
    types = [pair.on(side) for pair in state.config.link_types]
    name = next((kind.name for kind in types if kind.id == wanted.type_id), "")
    evidence = {**(proposal.evidence if proposal else {}), **more}
    if proposal is not None:
        evidence["reason"] = proposal.reason
    return audit.Entry(
        site=state.site_name(side),
        operation=wanted.operation,
        status=status,
        link_id=wanted.link_id,
        type_id=wanted.type_id,
        type=name,
        source_id=wanted.source.id,
        source_key=wanted.source.key,
        destination_id=wanted.destination.id,
        destination_key=wanted.destination.key,
        managed=True,
        cause=wanted.cause,
        revision=intent.revision,
        intent_id=intent.id,
        plan_id=wanted.plan_id,
        evidence=evidence,
    )
