"""Pairs that were given up, until something changes or a person asks again."""

from datetime import datetime

from app.api.schemas.audit import Cause
from app.api.schemas.base import Answer, Issue
from app.store.pool import Row


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

    @classmethod
    def of(cls, row: Row) -> "FailureAnswer":
        plain = {name: row[name] for name in ("connection", "tries", "dirty_since", "failed_at")}
        sides = {
            side: {"id": str(row[f"{side}_issue_id"]), "key": row[f"{side}_key"]}
            for side in ("left", "right")
        }
        cause = {"kind": row["cause_kind"], "id": row["cause_id"]}
        words = row["failure"] or ""
        return cls.model_validate(
            {**plain, **sides, "id": str(row["id"]), "cause": cause, "failure": words}
        )
