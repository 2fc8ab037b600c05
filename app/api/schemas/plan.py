"""Plans: counted lists of changes that are not made yet, or never will be."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from app.api.schemas.base import Answer, Body, Issue, JsonObject, Note, Text
from app.core.plan import PlanKind, PlanStatus
from app.store.pool import Row

# Written out: a type checker knows no other way to name all members of an enumeration here.
Kind = Literal[
    PlanKind.REMOVALS,
    PlanKind.SHADOW,
    PlanKind.DRY_RUN,
    PlanKind.RESTORE,
    PlanKind.UNDO,
    PlanKind.RESCUE,
    PlanKind.ADOPTION,
]
Status = Literal[
    PlanStatus.GATHERING,
    PlanStatus.HELD,
    PlanStatus.APPROVED,
    PlanStatus.APPLYING,
    PlanStatus.APPLIED,
    PlanStatus.REJECTED,
    PlanStatus.EXPIRED,
    PlanStatus.SHADOW,
]


class Decision(Body):
    digest: Text = Field(description="Of the plan as it was reviewed")
    note: Note = ""


class Counts(Answer):
    create: int
    remove: int


class PlanCounts(Counts):
    adopt: int


class Change(Answer):
    operation: Literal["create", "remove", "adopt"]
    site: str
    type: str
    source: Issue
    destination: Issue
    link_id: str | None
    reason: str
    evidence: JsonObject
    result: str | None = Field(description="What became of it; null until it is decided")

    @classmethod
    def of(cls, row: Row) -> "Change":
        plain = {
            name: row[name]
            for name in ("operation", "site", "type", "reason", "evidence", "result")
        }
        ends = {
            end: {"id": str(row[f"{end}_id"]), "key": row[f"{end}_key"]}
            for end in ("source", "destination")
        }
        link_id = None if row["link_id"] is None else str(row["link_id"])
        return cls.model_validate({**plain, **ends, "link_id": link_id})


class PlanSummary(Answer):
    id: str
    connection: str
    kind: Kind
    digest: str | None = Field(description="Of the sealed plan; null while it gathers")
    status: Status
    reason: str
    counts: PlanCounts
    revision: int
    created_at: datetime
    sealed_at: datetime | None
    expires_at: datetime | None
    approved_at: datetime | None = Field(description="By the first of two owners")
    approved_by: str | None
    decided_at: datetime | None
    decided_by: str | None
    note: str

    @classmethod
    def of(cls, row: Row) -> "PlanSummary":
        return cls.model_validate(_plain(row))


class PlanAnswer(PlanSummary):
    changes: list[Change] = Field(description="The first `limit` of them")
    next: str | None = Field(description="The cursor of the changes that follow")

    @classmethod
    def of_plan(cls, row: Row, changes: list[Change], following: str | None) -> "PlanAnswer":
        return cls.model_validate({**_plain(row), "changes": changes, "next": following})


def _plain(row: Row) -> dict[str, Any]:
    plain = {name: row[name] for name in PlanSummary.model_fields if name != "counts"}
    counts = {"create": row["creates"], "remove": row["removes"], "adopt": row["adopts"]}
    return {**plain, "id": str(row["id"]), "counts": counts}
