"""Put links back, and take back what was made: asked for, planned, decided, applied.

A request copies what the audit says into a plan at once. A worker then asks Jira what stands in
the way of each link, and seals the plan with its digest. Once it is approved, all workers apply
it together (`restore_apply`, `undo`); whatever dies in between is confirmed and resumed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, assert_never

import structlog

from app.core.errors import PermanentError, TransientError
from app.core.operations import Operation, Write, as_write
from app.core.plan import PlanKind, PlanStatus
from app.store.config import active_connection
from app.store.guard import held_plans
from app.store.pool import Connection, Database
from app.store.recovery import restore_select, restores
from app.store.recovery.restore_select import Filters
from app.store.recovery.restores import NewRestore, Restore
from app.sync.guard.held_plans import arm_when_approved
from app.sync.recovery import rescue, restore_apply, restore_survey
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)

# One page of a search or of changelogs, with the rate budget at its tightest.
LEASE = 120.0
RETRY = timedelta(seconds=5)


async def request(
    database: Database,
    operation: str,
    filters: Filters,
    *,
    asked: Mapping[str, Any],
    confined_to: Sequence[int] | None = None,
    requested_by: str,
    now: datetime,
) -> tuple[int, int]:
    """Plan to put back what was removed (*operation* `remove`), or to take back what was made
    (`create`); answers the ids of the restore and of its plan. What a caller *confined_to*
    connections asks for comes back only within what these reach now.

    Raises `PermanentError("nothing_selected")`.
    """
    kind = _kind(as_write(operation))
    async with database.transaction() as conn:
        under = await restores.any_connection(conn)
        if under is None:
            raise PermanentError("nothing_selected")
        plan_id = await restores.begin_plan(conn, kind, under, reason=kind, now=now)
        put = restore_select.put_removed if kind is PlanKind.RESTORE else restore_select.put_made
        await put(conn, plan_id, filters, now)
        if not await restores.settle_connection(conn, plan_id):
            raise PermanentError("nothing_selected")
        new = NewRestore(kind, _told(asked, confined_to), "restore", requested_by)
        return await restores.insert(conn, plan_id, new, now=now), plan_id


def _told(asked: Mapping[str, Any], confined_to: Sequence[int] | None) -> Mapping[str, Any]:
    return asked if confined_to is None else {**asked, restores.CONFINED_TO: list(confined_to)}


def _kind(operation: Write) -> PlanKind:
    match operation:
        case Operation.REMOVE:
            return PlanKind.RESTORE
        case Operation.CREATE:
            return PlanKind.UNDO
    assert_never(operation)


async def build_undo(
    conn: Connection,
    connection_id: int,
    revision: int,
    *,
    requested_by: str,
    now: datetime,
    confined_to: Sequence[int] | None = None,
) -> int | None:
    """Plan to take a connection's links back to where they were before *revision*: put back
    what it and those after it removed, take back what they made and what is still managed.
    Answers the plan's id, None if there is nothing to undo.

    Call it in the transaction of the roll-back, under the connection's lock. The plan waits for
    an approval like any other; what it removes passes the guard. Of a caller *confined_to*
    connections, what it puts back is within the projects that the connection has then.
    """
    plan_id = await restores.begin_plan(
        conn, PlanKind.UNDO, connection_id, reason=f"revision {revision}", now=now
    )
    if not await restore_select.put_net(conn, plan_id, connection_id, revision, now):
        await restores.discard_plan(conn, plan_id)
        return None
    asked = _told({"connection_id": str(connection_id), "revision": revision}, confined_to)
    new = NewRestore(PlanKind.UNDO, asked, "rollback", requested_by)
    await restores.insert(conn, plan_id, new, now=now)
    return plan_id


async def run_once(ctx: Context) -> int:
    """Plan what is asked for, apply what is approved; how many links and plans were handled."""
    return await plan_once(ctx) + await apply_once(ctx)


async def apply_once(ctx: Context) -> int:
    """Apply what is due of approved plans; how many links were taken."""
    applied = await restore_apply.run_once(ctx)
    await _finish(ctx)
    return applied


async def plan_once(ctx: Context) -> int:
    """Take one request to its sealed plan. What Jira cannot answer now is asked again later."""
    async with ctx.database.transaction() as conn:
        it = await restores.claim(conn, now=ctx.clock(), lease=LEASE)
    if it is None:
        return 0
    try:
        if not it.scanned:
            await rescue.scan(ctx, it, lease=LEASE)
        await restore_survey.survey(ctx, it, lease=LEASE)
    except TransientError as error:
        _LOG.warning("restore_put_off", restore=it.id, code=error.code)
        async with ctx.database.transaction() as conn:
            await restores.renew(conn, it, ctx.clock() + RETRY)
        return 0
    except PermanentError as error:
        _LOG.warning("restore_failed", restore=it.id, code=error.code)
        async with ctx.database.transaction() as conn:
            await restores.fail(conn, it, error.code, ctx.clock())
        return 1
    await _seal(ctx, it)
    return 1


async def _seal(ctx: Context, it: Restore) -> None:
    """With the digest of what was planned; a plan with nothing to do is over at once."""
    async with ctx.database.transaction() as conn:
        now = ctx.clock()
        connection_id = await held_plans.connection_of(conn, it.plan_id)
        assert connection_id is not None
        await active_connection.lock_any(conn, connection_id)
        plan = await held_plans.lock(conn, it.plan_id)
        if plan is None or plan.status is not PlanStatus.GATHERING:
            return
        if not await restores.seal(conn, it, now):
            return
        value = await held_plans.value(conn, it.plan_id)
        await held_plans.seal(conn, it.plan_id, value.digest, now)
        if await restores.nothing_open(conn, it.plan_id):
            note = "nothing to do"
            await held_plans.decide(
                conn, it.plan_id, PlanStatus.APPLIED, by="twinlink", note=note, now=now
            )
    _LOG.warning("restore_planned", restore=it.id, plan=it.plan_id, **value.counts)


async def _finish(ctx: Context) -> None:
    """End plans of which nothing is open, and seal what the guard has left over of them."""
    async with ctx.database.connection() as conn:
        over = await restores.over(conn)
    for connection_id, plan_id in over:
        async with ctx.database.transaction() as conn:
            now = ctx.clock()
            await active_connection.lock_any(conn, connection_id)
            if not await held_plans.finish(conn, plan_id):
                continue
            plan = await held_plans.lock(conn, plan_id)
            if plan is not None and plan.of_guard:
                await arm_when_approved(conn, connection_id, plan_id, now)
            for left_over in await restores.left_over(conn, plan_id):
                value = await held_plans.value(conn, left_over)
                await held_plans.seal(conn, left_over, value.digest, now)
                _LOG.warning(
                    "plan_held", connection=value.connection, plan=value.id, **value.counts
                )
