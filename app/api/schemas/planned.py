"""The status of a request that a plan carries out: a restore, or an adoption."""

from typing import Literal, assert_never

from app.core.plan import PlanStatus

Planned = Literal["planning", "held", "applying", "succeeded", "partial", "rejected", "expired"]


def status_of(plan: PlanStatus, *, failed: int) -> Planned:
    """By the status of its plan, and by how many of the plan's changes failed."""
    match plan:
        case PlanStatus.GATHERING:
            return "planning"
        case PlanStatus.HELD | PlanStatus.APPROVED:
            return "held"
        case PlanStatus.APPLYING:
            return "applying"
        case PlanStatus.REJECTED:
            return "rejected"
        case PlanStatus.APPLIED:
            return "partial" if failed else "succeeded"
        case PlanStatus.EXPIRED | PlanStatus.SHADOW:
            return "expired"
    assert_never(plan)
