"""Pairs that were given up, until something changes or a person asks again."""

from datetime import datetime

from pydantic import Field

from app.api.schemas.audit import Cause
from app.api.schemas.base import Answer, Body, Issue, Text
from app.store.pool import Row


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
    def of(cls, row: Row) -> "FailureAnswer":
        plain = {name: row[name] for name in ("connection", "tries", "dirty_since", "failed_at")}
        sides = {
            side: {"id": str(row[f"{side}_issue_id"]), "key": row[f"{side}_key"]}
            for side in ("left", "right")
        }
        cause = {"kind": row["cause_kind"], "id": row["cause_id"]}
        words = row["failure"] or ""
        dismissal = {name: row[f"dismissed_{name}"] for name in ("reason", "by", "at")}
        return cls.model_validate(
            {
                **plain,
                **sides,
                "id": str(row["id"]),
                "cause": cause,
                "failure": words,
                "dismissal": dismissal if row["dismissed"] else None,
            }
        )
