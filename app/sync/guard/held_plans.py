"""Held plans: sealed after half a minute, decided by a person, applied change by change.

An approval applies exactly the plan that was reviewed, outside the guard's windows; an ordinary
look judges each change again, and what no longer holds is skipped with its reason. It can be
revoked while changes are open, and ends with its plan's time. A rejection detaches. An approval of
all that is held arms the guard with fresh windows once it is applied; a rejection never does: after
it the guard stays tripped, until a later approval or a reset.
"""

from datetime import datetime

import structlog

from app.core.errors import PermanentError
from app.core.incidents import IncidentKind
from app.core.ledger import State
from app.core.plan import PlanKind, PlanStatus
from app.store.config import active_connection, connections
from app.store.config.active_connection import Running
from app.store.guard import approvals, held_changes, held_plans
from app.store.guard import unpairings as unpairing_plans
from app.store.guard.held_plans import HeldPlan
from app.store.links import former_twins, ledger
from app.store.pool import Connection, Database
from app.store.queue.work import Cause, raise_pairs
from app.store.recovery import restores
from app.store.writes import plans
from app.sync.guard import origin_removals, unpairings, vanished_mirrors
from app.sync.incidents import timeline
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)
_RAN_OUT = "its approval ended with its time"


async def run_once(ctx: Context) -> int:
    """Seal what has gathered, expire what was not decided, let go the pairs of approved plans,
    finish what is applied, and plan to put back what vanished."""
    let_go = await unpairings.run_once(ctx)
    async with ctx.database.connection() as conn:
        ripe = await held_plans.ripe(conn, ctx.clock())
        overdue = await held_plans.overdue(conn, ctx.clock())
        applying = await held_plans.applying(conn)
    for connection_id, plan_id in ripe:
        if await _seal(ctx, connection_id, plan_id):
            await origin_removals.note(ctx, connection_id, plan_id)
    for connection_id, plan_id in overdue:
        await _expire(ctx, connection_id, plan_id)
    for connection_id, plan_id in applying:
        await _finish(ctx, connection_id, plan_id)
    return let_go + len(ripe) + len(overdue) + await vanished_mirrors.run_once(ctx)


async def _seal(ctx: Context, connection_id: int, plan_id: int) -> bool:
    """Whether the plan waits for a person now."""
    async with ctx.database.transaction() as conn:
        await active_connection.lock_any(conn, connection_id)
        found = await held_plans.lock(conn, plan_id)
        if found is None or found.status is not PlanStatus.GATHERING:
            return False
        plan = await held_plans.value(conn, plan_id)
        now = ctx.clock()
        if plan.changes or await former_twins.held_by(conn, plan_id):
            await held_plans.seal(conn, plan_id, plan.digest, now)
            _LOG.warning("plan_held", connection=plan.connection, plan=plan.id, **plan.counts)
            return True
        note = "nothing of it holds any more"
        # There was no decision, so the guard stays as it is.
        await held_plans.decide(
            conn, plan_id, PlanStatus.EXPIRED, by="twinlink", note=note, now=now
        )
    return False


async def _expire(ctx: Context, connection_id: int, plan_id: int) -> None:
    """Not decided, or not applied, within a week: it is planned again from what both sites show
    then. What is held whatever room the windows have goes on waiting meanwhile: time is no
    approval. A write that is under way gets its outcome first."""
    async with ctx.database.transaction() as conn:
        state = await active_connection.lock_any(conn, connection_id)
        found = await held_plans.lock(conn, plan_id)
        if found is None or not (found.waits or await approvals.revoke(conn, plan_id, _RAN_OUT)):
            return
        if await approvals.being_written(conn, plan_id):
            return
        # The guard stays latched: what comes of the new look is held again.
        await plan_again(conn, state, found, by="twinlink", note="not decided", now=ctx.clock())


async def plan_again(
    conn: Connection, state: Running, plan: HeldPlan, *, by: str, note: str, now: datetime
) -> None:
    """End a plan without a decision about what it holds: both sites are looked at again, and what
    no later look may let go moves to a new plan. Under the connection's lock."""
    twins = await _twins_of(conn, plan)
    await held_plans.decide(conn, plan.id, PlanStatus.EXPIRED, by=by, note=note, now=now)
    if await held_plans.holds_on(conn, plan.id) or await former_twins.held_by(conn, plan.id):
        following = await plans.gathering(conn, state, plan.kind, reason=plan.reason, now=now)
        await held_plans.carry_over(conn, plan.id, following)
        await former_twins.move(conn, plan.id, following)
    await held_changes.reject_changes(conn, plan.id, "expired")
    cause = Cause("plan", str(plan.id))
    await raise_pairs(conn, plan.connection_id, twins, cause=cause, now=now, bulk=True)


async def _finish(ctx: Context, connection_id: int, plan_id: int) -> None:
    async with ctx.database.transaction() as conn:
        await active_connection.lock_any(conn, connection_id)
        found = await held_plans.lock(conn, plan_id)
        if found is not None and found.kind is PlanKind.UNPAIRINGS:
            await unpairing_plans.skip_lost(conn, plan_id)
            await held_plans.finish(conn, plan_id)
            return
        await held_changes.skip_lost(conn, plan_id)
        if await held_plans.finish(conn, plan_id):
            await arm_when_approved(conn, connection_id, plan_id, ctx.clock())


async def approve(
    database: Database,
    plan_id: int,
    digest: str,
    *,
    by: str,
    note: str,
    now: datetime,
    confined: bool = False,
) -> HeldPlan:
    """Begin to apply exactly this plan; where two owners are asked for, the second one does. What
    one who is *confined* to connections has put back or taken back is within their projects.

    Raises `PermanentError`: `plan_unknown`, `plan_not_sealed`, `plan_decided`,
    `plan_expired`, `plan_digest`, `second_owner`.
    """
    async with database.transaction() as conn:
        plan = await _undecided(conn, plan_id, digest, now)
        if await held_plans.approvals(conn, plan_id) > 1:
            if plan.approved_by is None:
                await held_plans.approve_first(conn, plan_id, by=by, note=note, now=now)
                _LOG.warning("plan_approved_first", plan=str(plan_id), by=by)
                return plan
            if _same_owner(plan.approved_by, by):
                raise PermanentError("second_owner")
        await held_plans.decide(conn, plan_id, PlanStatus.APPLYING, by=by, note=note, now=now)
        if confined:
            await restores.approved_within(conn, plan_id)
        # Removals are carried out by looks; what is put back or undone, by `restore`.
        twins = await _twins_of(conn, plan)
        cause = Cause("plan", str(plan_id))
        await raise_pairs(conn, plan.connection_id, twins, cause=cause, now=now)
    _LOG.warning("plan_approved", plan=str(plan_id), by=by)
    return plan


async def revoke(
    database: Database, plan_id: int, *, by: str, note: str, now: datetime
) -> HeldPlan:
    """Take an approval back: nothing more of the plan is applied, and what is open waits for a
    decision again, at the same digest. A write that has begun ends.

    Raises `PermanentError`: `plan_unknown`, `plan_not_approved`, `plan_expired`.
    """
    async with database.transaction() as conn:
        plan = await _decidable(conn, plan_id)
        if plan.status is PlanStatus.EXPIRED:
            raise PermanentError("plan_expired")
        said = f"approval revoked by {by}" + (f": {note}" if note else "")
        if not await approvals.revoke(conn, plan_id, said):
            raise PermanentError("plan_not_approved")
        if plan.of_guard:
            detail = {"approval_revoked": plan_id}
            await timeline.note_open(
                conn, IncidentKind.GUARD_TRIPPED, plan.connection_id, detail, now
            )
    _LOG.warning("plan_approval_revoked", plan=str(plan_id), by=by)
    return plan


def _same_owner(one: str, other: str) -> bool:
    """Spelt differently on two tokens, it is still one person."""
    return one.strip().casefold() == other.strip().casefold()


async def reject(
    database: Database, plan_id: int, digest: str, *, by: str, note: str, now: datetime
) -> HeldPlan:
    """Keep these links: their rows are detached, also those at rest, which would come back as
    managed; so nothing removes them again. Pairs that were to be let go, go on. Raises as
    `approve` does."""
    async with database.transaction() as conn:
        plan = await _undecided(conn, plan_id, digest, now)
        removes = plan.kind is PlanKind.REMOVALS
        named = dict(await held_changes.keys(conn, plan_id)) if removes else {}
        twins = {twin for key in named for twin in key.twins}
        for row in sorted(
            await ledger.touching(conn, plan.connection_id, twins), key=lambda it: it.id
        ):
            if State.MANAGED in (row.state, row.former) and named.get(row.key) == row.mirror_id:
                await ledger.change(
                    conn, ledger.Change.keeping(row, State.DETACHED, "rejected"), now=now
                )
        await vanished_mirrors.keep_gone(conn, plan.connection_id, plan_id, now)
        await unpairings.keep(conn, plan, now)
        await held_changes.reject_changes(conn, plan_id, "rejected")
        await held_plans.decide(conn, plan_id, PlanStatus.REJECTED, by=by, note=note, now=now)
        if plan.of_guard:
            detail = {"rejected_plan": plan_id}
            await timeline.note_open(
                conn, IncidentKind.GUARD_TRIPPED, plan.connection_id, detail, now
            )
    _LOG.warning("plan_rejected", plan=str(plan_id), by=by)
    return plan


async def _undecided(conn: Connection, plan_id: int, digest: str, now: datetime) -> HeldPlan:
    """The plan, locked after its connection, if it can be decided with this digest."""
    plan = await _decidable(conn, plan_id)
    if plan.status is PlanStatus.GATHERING:
        raise PermanentError("plan_not_sealed")
    if plan.status is PlanStatus.EXPIRED or (
        plan.expires_at is not None and plan.expires_at <= now
    ):
        raise PermanentError("plan_expired")
    if not plan.waits:
        raise PermanentError("plan_decided")
    if plan.digest != digest:
        raise PermanentError("plan_digest")
    return plan


async def _decidable(conn: Connection, plan_id: int) -> HeldPlan:
    """A plan that people decide about, locked after its connection."""
    connection_id = await held_plans.connection_of(conn, plan_id)
    if connection_id is None:
        raise PermanentError("plan_unknown")
    await active_connection.lock_any(conn, connection_id)
    plan = await held_plans.lock(conn, plan_id)
    if plan is None or not plan.kind.decidable:
        raise PermanentError("plan_unknown")
    return plan


async def _twins_of(conn: Connection, plan: HeldPlan) -> list[int]:
    """The twins that a plan of removals names; other plans wait for no look."""
    if plan.kind is not PlanKind.REMOVALS:
        return []
    return sorted({twin for key, _ in await held_changes.keys(conn, plan.id) for twin in key.twins})


async def arm_when_approved(
    conn: Connection, connection_id: int, plan_id: int, now: datetime
) -> None:
    """After the last change of an approved plan: fresh windows, where it was all that was held.
    What was rejected since its approval was held beside it. Without a trip the windows go on as
    they are; a plan that merely emptied arms nothing."""
    state = await active_connection.load(conn, connection_id)
    if state is None or state.guard_tripped_at is None:
        return
    if await held_plans.undecided(conn, connection_id):
        return
    if not await approvals.rejected_since_approval(conn, connection_id, plan_id):
        await arm(conn, connection_id, now)


async def arm(conn: Connection, connection_id: int, now: datetime) -> None:
    """Fresh windows, and another look at what was withheld while it was tripped."""
    await connections.reset_guard(conn, connection_id, now)
    await vanished_mirrors.look_again(conn, connection_id, now)
