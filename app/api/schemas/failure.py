"""Pairs that were given up, until something changes or a person asks again."""

from datetime import datetime

from pydantic import Field

from app.api.schemas.audit import Cause
from app.api.schemas.base import Answer, Body, Issue, Text
from app.store.views.failures import FailureShown


class DismissalPost(Body):
    reason: Text


class Dismissal(Answer):
    reason: str
    by: str
    at: datetime


class FailureAnswer(Answer):
    id: str
    connection: str
    left: Issue
    right: Issue
    failure: str
    tries: int
    cause: Cause
    dirty_since: datetime
    failed_at: datetime
    dismissal: Dismissal | None = Field(description="Null: it is shown")

    @classmethod
    def of(cls, it: FailureShown) -> "FailureAnswer":
        return cls.copied(it, id=str(it.id))
