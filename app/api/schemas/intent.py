"""Writes that are under way."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.api.schemas.audit import Cause
from app.api.schemas.base import Answer, Issue
from app.store.pool import Row

_PLAIN = (
    "connection", "site", "operation", "type", "revision", "created_at", "confirm_after",
    "confirm_tries", "unconfirmed_since",
)  # fmt: skip


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
    def of(cls, row: Row) -> "IntentAnswer":
        ends = {
            end: {"id": str(row[f"{end}_id"]), "key": row[f"{end}_key"]}
            for end in ("source", "destination")
        }
        ids = {
            name: None if row[name] is None else str(row[name])
            for name in ("id", "link_id", "plan_id")
        }
        status = "open" if row["unconfirmed_since"] is None else "unconfirmed"
        cause = {"kind": row["cause_kind"], "id": row["cause_id"]}
        plain = {name: row[name] for name in _PLAIN}
        return cls.model_validate({**plain, **ends, **ids, "status": status, "cause": cause})
