"""Plans: counted lists of changes that are not made yet, or never will be."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.api.schemas.base import Answer, Body, Issue, JsonObject, Note, Text
from app.core.plan import PlanKind, PlanStatus
from app.store.views.plans import ChangeShown, OriginsShown, PlanShown

# Written out: a type checker knows no other way to name all members of an enumeration here.
Kind = Literal[
    PlanKind.REMOVALS,
    PlanKind.SHADOW,
    PlanKind.DRY_RUN,
    PlanKind.RESTORE,
    PlanKind.UNDO,
    PlanKind.RESCUE,
    PlanKind.ADOPTION,
    PlanKind.UNPAIRINGS,
    PlanKind.REHOMING,
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
    release: int = Field(description="Links that become unmanaged; none of them is removed")


class Change(Answer):
    operation: Literal["create", "remove", "adopt", "release"]
    site: str
    type: str
    source: Issue
    destination: Issue
    link_id: str | None
    reason: str
    evidence: JsonObject
    result: str | None = Field(description="What became of it; null until it is decided")

    @classmethod
    def of(cls, it: ChangeShown) -> "Change":
        return cls.copied(it)


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
    def of(cls, it: PlanShown) -> "PlanSummary":
        return cls.copied(it, id=str(it.id), counts=_counts(it))


class OriginsRemoved(Answer):
    removals: int
    accounts: int = Field(description="How many there are; those that Jira does not name are one")
    first: datetime = Field(description="By Jira's clock")
    last: datetime


class PlanAnswer(PlanSummary):
    origins_removed: OriginsRemoved | None = Field(
        description="Who removed the origins, as Jira's changelog says: read once, when the plan is"
        " sealed. Each change has it as evidence, its account as a keyed hash. Null: not known"
    )
    changes: list[Change] = Field(description="The first `limit` of them")
    next: str | None = Field(description="The cursor of the changes that follow")

    @classmethod
    def of_plan(
        cls,
        it: PlanShown,
        changes: list[Change],
        following: str | None,
        origins: OriginsShown | None,
    ) -> "PlanAnswer":
        return cls.copied(
            it,
            id=str(it.id),
            counts=_counts(it),
            changes=changes,
            next=following,
            origins_removed=None if origins is None else OriginsRemoved.copied(origins),
        )


def _counts(it: PlanShown) -> PlanCounts:
    return PlanCounts(create=it.creates, remove=it.removes, adopt=it.adopts, release=it.releases)
