"""Revisions of a connection: what was configured, and what one in shadow would change."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.schemas.base import Answer, Body, Issue, Note
from app.api.schemas.connection import ConfigAnswer, ModeName
from app.api.schemas.connection_put import ConnectionPut
from app.store.config.revisions import Revision
from app.store.writes import shadow_revisions
from app.store.writes.shadow_revisions import Trial

Rollout = Literal["shadow", "full"]


class RevisionPost(Body):
    config: ConnectionPut
    rollout: Rollout = Field(description="`shadow`: store it and compare, without working by it")
    note: Note = ""


class RollbackPost(Body):
    revision: Annotated[int, Field(ge=1, le=2**31 - 1)]
    undo: bool = Field(default=False, description="Also plan to take back what was done since")
    note: Note = ""


class RevisionAnswer(Answer):
    revision: int
    config: ConfigAnswer
    note: str
    author: str
    created_at: datetime
    active: bool
    rollout: Rollout

    @classmethod
    def of(cls, it: Revision, active: int) -> "RevisionAnswer":
        return cls.model_validate(_revision(it, active))


class TrialChange(Answer):
    effect: Literal["more", "less"] = Field(description="`less`: only the active one would do it")
    operation: Literal["create", "remove"]
    site: str
    type: str
    source: Issue
    destination: Issue
    link_id: str | None
    reason: str

    @classmethod
    def of(cls, it: shadow_revisions.TrialChange) -> "TrialChange":
        return cls.copied(it)


class TrialCounts(Answer):
    create: int
    remove: int


class Comparison(Answer):
    """How its plan differs from the active revision's, over the same readings of all twins."""

    status: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    detail: str = Field(description="Why it failed; empty otherwise")
    resync_id: str
    against: int = Field(description="The revision that was active as it began")
    twins_total: int
    twins_done: int
    more: TrialCounts
    less: TrialCounts
    changes: list[TrialChange] = Field(description="The first `limit` of them")
    next: str | None = Field(description="The cursor of the changes that follow")


class RevisionWhole(RevisionAnswer):
    comparison: Comparison | None = Field(description="Null unless it was rolled out in shadow")

    @classmethod
    def of_whole(
        cls, it: Revision, active: int, trial: Trial | None, shown: dict[str, Any]
    ) -> "RevisionWhole":
        comparison = None
        if trial is not None:
            figures = {
                name: getattr(trial, name)
                for name in Comparison.model_fields
                if name not in {"changes", "next", "resync_id"}
            }
            comparison = {
                **figures,
                "resync_id": str(trial.resync_id),
                "changes": shown["items"],
                "next": shown["next"],
            }
        return cls.model_validate({**_revision(it, active), "comparison": comparison})


class RollbackAnswer(Answer):
    revision: int = Field(description="The new one, equal to the earlier one")
    rolled_back_to: int
    mode: ModeName
    paused: bool
    plan_id: str | None = Field(description="Of the plan that undoes; it waits for its approval")


def _revision(it: Revision, active: int) -> dict[str, Any]:
    return {
        "revision": it.revision,
        "config": ConfigAnswer.of(it.config),
        "note": it.note,
        "author": it.author,
        "created_at": it.created_at,
        "active": it.revision == active,
        "rollout": it.rollout,
    }
