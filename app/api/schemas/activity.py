"""What a connection did over time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from app.api.schemas.base import Answer
from app.store.views.activity import Bucket

BucketName = Literal["hour", "day"]


class BucketAnswer(Answer):
    at: datetime = Field(description="When the bucket begins")
    created: int
    removed: int


class ActivityAnswer(Answer):
    items: list[BucketAnswer]

    @classmethod
    def of(cls, rows: Sequence[Bucket]) -> "ActivityAnswer":
        return cls(items=[BucketAnswer.model_validate(row) for row in rows])
