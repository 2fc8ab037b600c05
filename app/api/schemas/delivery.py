"""Webhook deliveries: metadata, kept 14 days."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.api.schemas.base import Answer, as_id
from app.store.views.deliveries import DeliveryShown

Kind = Literal["link_created", "link_deleted", "issue_created", "issue_updated", "issue_deleted"]
_IDS = ("id", "issue_id", "link_id", "type_id", "source_id", "destination_id")


class DeliveryAnswer(Answer):
    id: str
    site: str
    delivery: str
    kind: Kind
    received_at: datetime
    occurred_at: datetime | None
    late: bool = Field(
        description="It happened more than a day before it came: a very late retry, a replay, or a"
        " clock that is wrong. It was taken all the same, for a look changes nothing by itself"
    )
    issue_id: str | None
    link_id: str | None
    type_id: str | None
    source_id: str | None
    destination_id: str | None
    fields: list[str]

    @classmethod
    def of(cls, it: DeliveryShown) -> "DeliveryAnswer":
        return cls.copied(it, **{name: as_id(getattr(it, name)) for name in _IDS})
