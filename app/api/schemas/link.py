"""Links of a connection, with both of their sides."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.api.schemas.base import Answer, Issue
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
    authorship: Literal["ours", "adopted", "theirs", "unknown"] | None
    reason: str
    changed_at: datetime
    left: LinkEnd
    right: LinkEnd

    @classmethod
    def of(cls, it: LinkShown) -> "LinkAnswer":
        return cls.copied(it)
