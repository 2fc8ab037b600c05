"""Links of a connection, with both of their sides."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.api.schemas.base import Answer, Issue
from app.core.links import Side
from app.store.views.links import LinkShown

State = Literal[
    "managed", "preexisting", "detached", "suspended", "released", "orphaned", "unconfirmed"
]


class LinkEnd(Answer):
    link_id: str | None = Field(description="null: not there, or not known")
    type: str
    source: Issue
    destination: Issue


class LinkAnswer(Answer):
    id: str
    state: State
    origin: Literal["left", "right"]
    authorship: Literal["ours", "theirs", "unknown"] | None
    reason: str
    changed_at: datetime
    left: LinkEnd
    right: LinkEnd

    @classmethod
    def of(cls, it: LinkShown) -> "LinkAnswer":
        plain = {name: it.row[name] for name in ("state", "origin", "authorship", "reason")}
        sides = {side.value: it.side(side) for side in Side}
        return cls.model_validate(
            {"id": it.id, "changed_at": it.row["changed_at"], **plain, **sides}
        )
