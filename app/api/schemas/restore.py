"""Restores and rescues: what to put back, and how far it is."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from app.api.schemas.base import Answer, Body, Instant, IssueKey, JsonObject, Name, Storable, Text
from app.api.schemas.planned import status_of
from app.core.links import AccountId
from app.core.plan import PlanKind
from app.core.rescue import Culprit
from app.store.recovery.restore_select import Filters
from app.store.recovery.restores import APPROVED_WITHIN, CONFINED_TO
from app.store.views.restores import RestoreShown

Status = Literal[
    "planning",
    "held",
    "applying",
    "succeeded",
    "partial",
    "rejected",
    "expired",
    "failed",
]
OVER = frozenset({"succeeded", "partial", "rejected", "expired", "failed"})
RowId = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,17}$")]
Cause = Annotated[str, Field(max_length=300, description="A kind, or `kind:id`"), Storable]


class RestorePost(Body):
    """All filters that are given must hold; at least one is needed."""

    connection: Name | None = None
    site: Name | None = None
    since: Instant | None = Field(None, description="Removed from this instant on")
    until: Instant | None = Field(None, description="Removed before this instant")
    revision: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        None, description="Of the connection that is named too"
    )
    plan: RowId | None = Field(None, description="What this plan did")
    engine: Text | None = Field(None, description="The version that did it")
    cause: Cause | None = None
    issues: Annotated[list[IssueKey], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="Keys of either side, as they are or were"
    )
    link_ids: Annotated[list[RowId], Field(min_length=1, max_length=1000)] | None = None
    operation: Literal["remove", "create"] = Field(
        "remove", description="`remove` puts back what was removed, `create` undoes creates"
    )
    again: Literal[True] | None = Field(
        None,
        description="Also make what came back since the removal and another account has removed"
        " again, skipped as `removed_since` otherwise. `issues` and `link_ids` say so of what they"
        " name",
    )

    @model_validator(mode="after")
    def _chooses(self) -> Self:
        if not self.model_dump(exclude={"operation", "again"}, exclude_none=True):
            raise ValueError("at least one filter is needed")
        if self.revision is not None and self.connection is None:
            raise ValueError("a revision is one of a connection: name it")
        return self

    def filters(self, within: tuple[int, ...] | None, connection: int | None) -> Filters:
        """*connection*: the id behind the name."""
        return Filters(
            within=within,
            connection=connection,
            site=self.site,
            since=self.since,
            until=self.until,
            revision=self.revision,
            plan=int(self.plan) if self.plan else None,
            engine=self.engine,
            cause=self.cause,
            issues=self.issues or (),
            link_ids=[int(it) for it in self.link_ids or ()],
        )


class RescuePost(Body):
    site: Name
    account_id: Text = Field(description="`accountId` on Cloud, the user key on Data Center")
    since: Instant
    until: Instant

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.since >= self.until:
            raise ValueError("since must be before until")
        return self

    def culprit(self) -> Culprit:
        return Culprit(AccountId(self.account_id), self.since, self.until)


class RestoreMade(Answer):
    id: str
    plan_id: str
    status: Status


class RestoreAnswer(Answer):
    id: str
    kind: Literal[PlanKind.RESTORE, PlanKind.UNDO, PlanKind.RESCUE]
    connection: str = Field(description="Under which its plan stands")
    plan_id: str
    status: Status
    asked: JsonObject
    links: int = Field(description="Found by the filters")
    restorable: int = Field(description="Of these, what can be done; counted when it is planned")
    restored: int = Field(description="Put back, or taken back for `undo`")
    skipped: int
    failed: int
    held: int = Field(description="Left over by the guard: `held:<plan>` names the plan")
    verified: int = Field(description="Restored, and seen so by a reading after the write")
    unread: dict[str, int] = Field(description="Changelog entries that name no link, by reason")
    detail: str
    requested_by: str
    created_at: datetime
    planned_at: datetime | None

    @classmethod
    def of(cls, it: RestoreShown, within: Sequence[int] | None = None) -> "RestoreAnswer":
        """*within*: the connections that the reader may see, None for all."""
        return cls.copied(
            it,
            asked=_asked(it.asked, within),
            id=str(it.id),
            plan_id=str(it.plan_id),
            status=status(it),
            detail=it.failure or "",
            planned_at=it.sealed_at,
        )


_OURS = (CONFINED_TO, APPROVED_WITHIN)
_OF_ITS_LINKS = (
    "operation",
    "connection",
    "connection_id",
    "revision",
    "since",
    "until",
    "engine",
    "again",
)


def _asked(asked: Mapping[str, Any], within: Sequence[int] | None) -> dict[str, Any]:
    """Who could reach more may have named another tenant's issues, links and plans beside those
    that were found: a confined reader sees what was asked whole where no such person asked."""
    plain = {name: value for name, value in asked.items() if name not in _OURS}
    by = asked.get(CONFINED_TO)
    if within is None or (by is not None and set(by) <= set(within)):
        return plain
    return {name: value for name, value in plain.items() if name in _OF_ITS_LINKS}


def status(it: RestoreShown) -> Status:
    """Of the plan, and of its planning: partial failure is no success."""
    if it.failure is not None:
        return "failed"
    return status_of(it.plan_status, failed=it.failed)
