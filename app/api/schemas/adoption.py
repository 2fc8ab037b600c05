"""Adoptions: whose links to take over, and how far it is."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from app.api.schemas.base import Answer, Body, Text
from app.store.pool import Row

Status = Literal["planning", "held", "applying", "succeeded", "partial", "rejected", "expired"]
Instant = Annotated[AwareDatetime, Field(strict=False)]


class AdoptionPost(Body):
    account_id: Text = Field(
        description="`accountId` on Cloud, the user key on Data Center. It is kept as a keyed hash"
    )
    since: Instant = Field(description="Written from this instant on")
    until: Instant = Field(description="Written before this instant")


class AdoptionMade(Answer):
    id: str
    plan_id: str
    status: Status


class AdoptionAnswer(Answer):
    id: str
    connection: str
    plan_id: str
    status: Status
    since: datetime
    until: datetime
    pairs: int = Field(description="Links that are there without being managed, as far as planned")
    adoptable: int = Field(description="Of these, what the account wrote on exactly one side")
    adopted: int
    skipped: int = Field(description="Each with its reason in the plan")
    failed: int
    requested_by: str
    created_at: datetime
    planned_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> "AdoptionAnswer":
        known = {"id", "plan_id", "status", "planned_at"}
        plain = {name: row[name] for name in cls.model_fields if name not in known}
        return cls.model_validate(
            {
                **plain,
                "id": str(row["id"]),
                "plan_id": str(row["plan_id"]),
                "status": _status(row),
                "planned_at": row["sealed_at"],
            }
        )


def _status(row: Row) -> Status:
    match row["plan_status"]:
        case "gathering":
            return "planning"
        case "held" | "approved":
            return "held"
        case "applying":
            return "applying"
        case "rejected":
            return "rejected"
        case "applied":
            return "partial" if row["failed"] else "succeeded"
        case _:
            return "expired"
