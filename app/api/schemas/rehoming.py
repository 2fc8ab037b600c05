"""Re-homings: which site moved where, and how far each of its connections is."""

from datetime import datetime

from pydantic import Field

from app.api.schemas.base import Answer, Body, Text
from app.core.plan import PlanStatus
from app.store.recovery.rehomings import RehomingShown
from app.sync.connections.rehome import Asked


class RehomingPost(Body):
    to: Text = Field(description="Name of the site that this Jira is now; registered and checked")
    connection: Text | None = Field(
        None, description="One of the site's connections; left out: all"
    )


class RehomingMade(Answer):
    id: str
    former: str = Field(description="The connection of before")
    connection: str = Field(description="The one that takes over")
    plan_id: str

    @classmethod
    def of(cls, it: Asked) -> "RehomingMade":
        return cls(
            id=str(it.id), former=it.former, connection=it.connection, plan_id=str(it.plan_id)
        )


class RehomingsMade(Answer):
    items: list[RehomingMade]


class RehomingAnswer(RehomingMade):
    status: PlanStatus = Field(description="Of its plan")
    twins: int = Field(description="Pairs that were found again by key, so far")
    rows: int = Field(description="Links that the plan names")
    carried: int
    left: int = Field(description="Links that stay behind, each with its reason in the plan")
    requested_by: str
    created_at: datetime

    @classmethod
    def of_shown(cls, it: RehomingShown) -> "RehomingAnswer":
        return cls(
            id=str(it.id),
            former=it.former,
            connection=it.connection,
            plan_id=str(it.plan_id),
            status=it.plan_status,
            twins=it.twins,
            rows=it.rows,
            carried=it.carried,
            left=it.left,
            requested_by=it.requested_by,
            created_at=it.created_at,
        )


class Rehomings(Answer):
    items: list[RehomingAnswer]
    next: None = None
