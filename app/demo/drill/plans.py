"""The work of an approver: read a plan, approve it by its digest, and follow it to its end."""

from functools import partial

from app.demo.failed import check
from app.demo.service import Json
from app.demo.stage import Stage
from app.demo.waiting import until

_SECONDS = 120.0
_WAITING = ("gathering", "held")
_OVER = ("applied", "rejected", "expired")


async def approved(stage: Stage, plan_id: str) -> Json:
    """The plan as it was approved, once it is sealed."""
    plan = await until(f"plan {plan_id}", partial(_sealed, stage, plan_id), seconds=_SECONDS)
    await stage.service.post(f"plans/{plan_id}/approval", {"digest": plan["digest"]})
    return plan


async def applied(stage: Stage, plan_id: str) -> None:
    """To its last change. What the guard has left over of it waits in a plan of its own, which
    is approved too."""
    over = partial(_over, stage, plan_id)
    plan = await until(f"the end of plan {plan_id}", over, seconds=_SECONDS)
    check(f"plan {plan_id}", expected="applied", found=plan["status"])
    results = [str(change["result"]) for change in plan["changes"]]
    for left_over in sorted({it.partition(":")[2] for it in results if it.startswith("held:")}):
        await approved(stage, left_over)
        await applied(stage, left_over)


async def rejected(stage: Stage, connection: str) -> int:
    """Every removal of it that is held: how many links are kept so."""
    what = f"the held plans of {connection}"
    plans = await until(what, partial(_all_sealed, stage, connection), seconds=_SECONDS)
    for plan in plans:
        await stage.service.post(f"plans/{plan['id']}/rejection", {"digest": plan["digest"]})
    return sum(plan["counts"]["remove"] for plan in plans)


async def _all_sealed(stage: Stage, connection: str) -> list[Json] | None:
    plans = await stage.service.items("plans", connection=connection)
    waiting = [it for it in plans if it["kind"] == "removals" and it["status"] in _WAITING]
    return None if any(it["status"] == "gathering" for it in waiting) else waiting


async def _sealed(stage: Stage, plan_id: str) -> Json | None:
    plan: Json = await stage.service.get(f"plans/{plan_id}", limit=1)
    return plan if plan["status"] == "held" else None


async def _over(stage: Stage, plan_id: str) -> Json | None:
    stage.raise_for_ended()
    plan: Json = await stage.service.get(f"plans/{plan_id}", limit=1000)
    return plan if plan["status"] in _OVER else None
