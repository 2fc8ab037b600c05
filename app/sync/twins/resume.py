"""A pair whose letting go waits in a plan is named again: it goes on, and the plan lets it be."""

from datetime import datetime

from app.core.plan import PlanStatus
from app.store.guard import held_plans, unpairings
from app.store.links import former_twins
from app.store.pool import Connection

_BACK = "all that it held was paired again"


async def resume(conn: Connection, connection_id: int, twin_id: int, now: datetime) -> None:
    """Under the connection's lock. The next look at the pair resumes its links; a plan that holds
    nothing any more ends."""
    plan_id = await former_twins.plan_of(conn, twin_id)
    if plan_id is None:
        return
    await unpairings.drop_pair(conn, plan_id, twin_id)
    await former_twins.go_on(conn, connection_id, [twin_id], now, source=None)
    if await unpairings.is_over(conn, plan_id):
        await held_plans.decide(
            conn, plan_id, PlanStatus.EXPIRED, by="twinlink", note=_BACK, now=now
        )
