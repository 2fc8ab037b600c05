"""The audit: one row per intent and one per outcome; neither ever changes."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from app.api.schemas.base import Answer, Issue, JsonObject, Moment, storable_or_none
from app.store.views.audit import Filters
from app.store.views.verifications import VerificationShown

Kind = Literal[
    "webhook", "poll", "resync", "twin", "plan", "restore", "rollback", "rescue", "confirm"
]
Operation = Literal["create", "remove", "adopt", "release"]
Status = Literal["intended", "applied", "noop", "failed"]
NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_ID = r"^[1-9][0-9]{0,17}$"


class AuditQuery(BaseModel):
    """The filters of the list and of the export. All that are given must hold."""

    connection: Annotated[str | None, Query(pattern=NAME)] = None
    site: Annotated[str | None, Query(pattern=NAME)] = None
    operation: Operation | None = None
    status: Status | None = None
    issue: Annotated[
        str | None, Query(pattern=r"^[A-Z][A-Z0-9_]{0,254}-[0-9]{1,18}$", description="A key")
    ] = None
    link_id: Annotated[str | None, Query(pattern=_ID)] = None
    cause: Annotated[
        str | None,
        Query(max_length=300, description="A kind, or `kind:id`"),
        storable_or_none,
    ] = None
    revision: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None
    plan: Annotated[str | None, Query(pattern=_ID)] = None
    since: Annotated[Moment | None, Query(description="From this instant on")] = None
    until: Annotated[Moment | None, Query(description="Before this instant")] = None

    def filters(self, within: tuple[int, ...] | None) -> Filters:
        return Filters(
            within=within,
            connection=self.connection,
            site=self.site,
            operation=self.operation,
            status=self.status,
            issue=self.issue,
            link_id=int(self.link_id) if self.link_id else None,
            cause=self.cause,
            revision=self.revision,
            plan=int(self.plan) if self.plan else None,
            since=self.since,
            until=self.until,
        )


class AuditListQuery(AuditQuery):
    order: Annotated[
        Literal["asc", "desc"], Query(description="`desc`: what happened last comes first")
    ] = "asc"


class Cause(Answer):
    kind: Kind
    id: str


class AuditRow(Answer):
    """The form that is hashed: with all rows of a chain it can be checked offline."""

    id: str
    chain: str = Field(description="One per connection, deleted ones included")
    seq: int = Field(description="Without gaps within a chain")
    at: str = Field(description="RFC 3339, UTC, microseconds")
    connection: str
    site: str
    operation: Operation
    status: Status
    link_id: str | None
    type_id: str
    type: str
    source: Issue
    destination: Issue
    managed: bool
    cause: Cause
    intent_id: str | None
    plan_id: str | None
    revision: int
    engine: str
    evidence: JsonObject
    actor: str
    prev_hash: str
    hash: str


class Verification(Answer):
    id: str
    status: Literal["queued", "running", "accepted", "refused", "failed"]
    rows: int
    detail: str
    place: dict[str, Any] | None = Field(description="Where the chain does not hold")
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, it: VerificationShown) -> "Verification":
        return cls.copied(it, id=str(it.id))
