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
from app.core.ledger import LinkKey
from app.core.operations import Status
from app.core.plan import PlanKind
from app.core.results import Busy, Held, Refused, Stale
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.guard import held_changes, origins
from app.store.guard.vanished_mirrors import Gone
from app.store.pool import Connection
from app.store.writes import audit, intents, plans
from app.store.writes.audit_entry import of_intent
from app.store.writes.intents import Intent
from app.sync.guard.judge import Ruling, judge
from app.sync.guard.vanished_mirrors import admit
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context
from app.sync.writes.limits import refusals
from app.sync.writes.proposal import Proposal, planned


@dataclass(slots=True)
class Reserved:
    """`granted` may be sent. The other proposals are refused, each for its reason."""

    granted: list[tuple[Intent, Proposal]] = field(default_factory=list)
    refused: dict[LinkKey, Refused] = field(default_factory=dict)

    def grant(self, intent: Intent, proposal: Proposal) -> None:
        self.granted.append((intent, proposal))

    def refuse(self, proposals: Iterable[Proposal], why: Refused) -> None:
        """Refuse each of *proposals* for the same reason."""
        self.refused.update({it.key: why for it in proposals})


async def reserve(ctx: Context, look: Look, proposals: Sequence[Proposal]) -> Reserved:
    """Open intents for what may go. One transaction, so all of it holds or none."""
    out = Reserved()
    counting = {it.wanted.site for it in proposals if it.removes or it.recreates}
    async with ctx.database.transaction() as conn:
        now = ctx.clock()
        if counting:
            await active_connection.lock_sites(conn, counting)
        state = await active_connection.lock(conn, look.running.id)
        stale = state is None or state.paused or state.revision != look.running.revision
        if state is None or stale or not ctx.permit.granted:
            out.refuse(proposals, Stale())
            return out
        out.refused.update(await refusals(conn, ctx, look, state, proposals))
        sound = [it for it in proposals if it.key not in out.refused]
        reservation = _Reservation(conn, ctx, state, now, out)
        going = await reservation.creates([it for it in sound if not it.removes])
        going += await reservation.removals([it for it in sound if it.removes])
        await reservation.open(going)
    return out


async def hold(ctx: Context, look: Look, proposals: Sequence[Proposal], reason: str) -> None:
    """Put removals into the plan that waits for a person, without asking the guard."""
    async with ctx.database.transaction() as conn:
        state = await active_connection.lock(conn, look.running.id)
        if state is not None:
            await _hold(conn, ctx, state, proposals, reason, ctx.clock())


@dataclass(frozen=True, slots=True)
class _Reservation:
    """The transaction, under its locks, and what has been decided in it."""

    conn: Connection
    ctx: Context
    state: Running
    now: datetime
    out: Reserved

    async def creates(self, sound: Sequence[Proposal]) -> list[Proposal]:
        """The creates; those in place of vanished mirrors as far as the guard has room for
        these."""
        gone = {it.key: _gone(it) for it in sound if it.recreates}
        withheld = await admit(self.conn, self.ctx, self.state, list(gone.values()), self.now)
        held = {key for key, it in gone.items() if it.mirror in withheld}
        self.out.refuse([it for it in sound if it.key in held], Held())
        return [it for it in sound if it.key not in held]

    async def removals(self, asked: Sequence[Proposal]) -> list[Proposal]:
        """The removals that a person approved or the guard lets go; the rest is held."""
        approved, rest = await self._decided(asked)
        if not rest:
            return approved
        if self.state.mode is Mode.REVIEW:
            ruling = Ruling([], [("review", rest)])
        elif self.state.first_pass:
            ruling = Ruling([], [("long_pause", rest)])
        else:
            ruling = await judge(self.conn, self.state, rest, self.now)
        for reason, some in ruling.held:
            await _hold(self.conn, self.ctx, self.state, some, reason, self.now)
            self.out.refuse(some, Held())
        return approved + ruling.going

    async def _decided(self, asked: Sequence[Proposal]) -> tuple[list[Proposal], list[Proposal]]:
        """What a person approved goes outside the windows; what waits in a sealed plan goes on
        waiting there; the rest, in key order, is the guard's to judge."""
        if not asked:
            return [], []
        mirrors = [mirror for it in asked if (mirror := it.wanted.mirror) is not None]
        plan_of = await held_changes.approved(self.conn, self.state.id, mirrors)
        waiting = await held_changes.held_mirrors(self.conn, self.state.id, mirrors)
        removers = await origins.known(self.conn, plan_of) if plan_of else {}
        approved, rest = [], []
        for it in sorted(asked, key=lambda each: each.wanted.physical):
            mirror = it.wanted.mirror
            if mirror is not None and mirror in plan_of:
                wanted = replace(it.wanted, guarded=False, plan_id=plan_of[mirror])
                evidence = {**it.evidence, **removers.get(mirror, {})}
                approved.append(replace(it, wanted=wanted, evidence=evidence))
            elif mirror in waiting:
                self.out.refuse([it], Held())
            else:
                rest.append(it)
        return approved, rest

    async def open(self, going: Sequence[Proposal]) -> None:
        """Intents and their audit rows."""
        conn, state, now = self.conn, self.state, self.now
        by_link = {it.wanted.physical: it for it in going}
        opened = await intents.insert(conn, state, [it.wanted for it in by_link.values()], now=now)
        for intent in opened:
            self.out.grant(intent, by_link.pop(intent.wanted.physical))
        self.out.refuse(by_link.values(), Busy())
        # What the guard lets go now waits in no plan any more: it was held under another mode.
        let_go = [intent.wanted.key for intent in opened if intent.wanted.guarded]
        if let_go:
            await plans.drop(conn, state.id, let_go)
        if opened:
            entries = [
                of_intent(state, intent, Status.INTENDED, proposal.told)
                for intent, proposal in self.out.granted
            ]
            await audit.append(conn, state.id, state.name, entries, engine=self.ctx.engine, now=now)


def _gone(it: Proposal) -> Gone:
    assert it.row is not None
    assert it.row.mirror_id is not None
    wanted = it.wanted
    mirror = (wanted.site, it.row.mirror_id)
    return Gone(mirror, wanted.type_id, wanted.source, wanted.destination, it.key)


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
    plan_id = await plans.gathering(conn, state, PlanKind.REMOVALS, reason=reason, now=now)
    changes = [planned(it, it.reason, held_for=reason) for it in proposals]
    added = await plans.put(conn, plan_id, changes, now=now)
    ctx.metrics.guard_held.labels(state.name).inc(added)
