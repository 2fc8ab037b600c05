"""Resyncs: a look at a whole connection or at named issues."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from app.api.schemas.base import Answer, Body, IssueKey, as_id
from app.store.queue.resyncs import ResyncStatus
from app.store.views.resyncs import ResyncShown

Status = Literal[
    ResyncStatus.QUEUED,
    ResyncStatus.RUNNING,
    ResyncStatus.HELD,
    ResyncStatus.SUCCEEDED,
    ResyncStatus.FAILED,
    ResyncStatus.CANCELLED,
]
OVER = frozenset({ResyncStatus.SUCCEEDED, ResyncStatus.FAILED, ResyncStatus.CANCELLED})


class ResyncPost(Body):
    issues: Annotated[list[IssueKey], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="Keys of either side; left out, the whole connection"
    )
    dry_run: bool = Field(default=False, description="Decide, write nothing, leave a plan")


class ResyncAnswer(Answer):
    id: str
    connection: str
    status: Status
    dry_run: bool
    cause: str
    issues_total: int
    issues_done: int
    created: int
    removed: int
    held: int
    skipped: int
    failed: int
    plan_id: str | None
    requested_by: str
    detail: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, it: ResyncShown) -> "ResyncAnswer":
        return cls.copied(it, id=str(it.id), plan_id=as_id(it.plan_id))
