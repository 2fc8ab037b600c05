"""Writes that are under way."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.api.schemas.audit import Cause
from app.api.schemas.base import Answer, Issue, as_id
from app.store.views.intents import IntentShown


class IntentAnswer(Answer):
    id: str
    connection: str
    site: str
    operation: Literal["create", "remove"]
    status: Literal["open", "unconfirmed"]
    type: str
    source: Issue
    destination: Issue
    link_id: str | None
    cause: Cause
    plan_id: str | None
    revision: int
    created_at: datetime
    confirm_after: datetime = Field(description="Its outcome is not looked for earlier")
    confirm_tries: int
    unconfirmed_since: datetime | None

    @classmethod
    def of(cls, it: IntentShown) -> "IntentAnswer":
        status = "open" if it.unconfirmed_since is None else "unconfirmed"
        return cls.copied(it, id=str(it.id), plan_id=as_id(it.plan_id), status=status)
