"""What a look changes in the plans that are open or being applied."""

from collections.abc import Mapping, Sequence
from typing import assert_never

from app.core.config import Mode
from app.core.diff import Decision, Prove, Wait
from app.core.ledger import LinkKey
from app.core.plan import PlanKind
from app.core.results import (
    Busy,
    Created,
    Elsewhere,
    Failed,
    HeirNotReady,
    Held,
    Kept,
    ModeForbids,
    Moved,
    Preexisting,
    Removed,
    Result,
    Retry,
    SiteRefused,
    Stale,
    StillOpen,
    Unexplained,
)
from app.store.config import active_connection
from app.store.guard import held_changes
from app.store.writes import plans
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context
from app.sync.writes.proposal import Proposal, planned


async def refresh_plans(
    ctx: Context,
    look: Look,
    decisions: Mapping[LinkKey, Decision],
    proposals: Sequence[Proposal],
) -> None:
    """What was decided again leaves the open plans, unless it is proposed again; in shadow all
    proposals go to the shadow plan and nowhere else."""
    shadow = look.running.mode is Mode.SHADOW
    proposed = {it.key for it in proposals}
    judged = [key for key, it in decisions.items() if not isinstance(it, Wait | Prove)]
    gone = judged if shadow else [key for key in judged if key not in proposed]
    if not (shadow and proposals) and not (gone and look.running.open_plans):
        return
    async with ctx.database.transaction() as conn:
        state = await active_connection.lock(conn, look.running.id)
        if state is None:
            return
        await plans.drop(conn, look.running.id, gone)
        await held_changes.skip(
            conn, look.running.id, {key: f"row_{_row(decisions[key])}" for key in gone}
        )
        if shadow and proposals:
            plan_id = await plans.gathering(
                conn, state, PlanKind.SHADOW, reason="shadow", now=ctx.clock()
            )
            changes = [planned(it, it.reason) for it in proposals]
            await plans.put(conn, plan_id, changes, now=ctx.clock())


def _row(decision: Decision) -> int:
    return 0 if isinstance(decision, Prove) else decision.row


async def skip_kept(ctx: Context, look: Look, removed: Mapping[LinkKey, Result]) -> None:
    """In a plan that is being applied, what turned out not to be removable is over as well."""
    over = {key: why for key, result in removed.items() if (why := _kept(result)) is not None}
    if over and look.running.open_plans:
        async with ctx.database.transaction() as conn:
            await held_changes.skip(conn, look.running.id, over)


def _kept(result: Result) -> str | None:
    """Why an approved removal ends without one: the link is another's, or the mode forbids it."""
    match result:
        case Kept():
            return "kept"
        case Moved():
            return "moved"
        case HeirNotReady():
            return "heir_not_ready"
        case ModeForbids():
            return "mode"
        case (
            Created() | Preexisting() | Removed() | Held() | Stale() | Busy() | Elsewhere()
            | Unexplained() | StillOpen() | Failed() | Retry() | SiteRefused()
        ):  # fmt: skip
            return None
    assert_never(result)
