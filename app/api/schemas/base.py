"""What all bodies and answers share."""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

T = TypeVar("T")


class Body(BaseModel):
    """What is sent: exact types, and no field that we do not know: a misspelt option must not
    leave a caller believing that it is set."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class Answer(BaseModel):
    """What is answered: every field always stands there, null where there is nothing."""

    model_config = ConfigDict(
        from_attributes=True, json_schema_serialization_defaults_required=True
    )

    @classmethod
    def copied(cls, it: object, **others: object) -> Self:
        """With the attributes of *it* that have the names of fields, except for *others*."""
        plain = {name: getattr(it, name) for name in cls.model_fields if name not in others}
        return cls.model_validate({**plain, **others})


class Listed(Answer, Generic[T]):
    items: list[T]
    next: str | None = Field(description="The cursor of the next page; null on the last")


def storable(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    if "\x00" in text:
        raise ValueError("must not contain NUL")
    return text


Storable = AfterValidator(storable)
"""PostgreSQL holds neither NUL nor half of a surrogate pair."""

_EARLIEST = datetime(2, 1, 1, tzinfo=UTC)


def within_time(at: datetime) -> datetime:
    try:
        sound = at.astimezone(UTC) >= _EARLIEST
    except OverflowError:
        sound = False
    if not sound:
        raise ValueError("must be in the years 2 to 9999")
    return at


Moment = Annotated[AwareDatetime, AfterValidator(within_time)]
"""An instant that can be reckoned with: the ends of time overflow in another zone."""
Instant = Annotated[Moment, Field(strict=False)]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
ProjectKey = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,254}$")]
IssueKey = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,254}-[0-9]{1,18}$")]
Secret = Annotated[str, Field(min_length=1, max_length=4096), Storable]
Text = Annotated[str, Field(min_length=1, max_length=255), Storable]
Note = Annotated[str, Field(max_length=2000), Storable]


def as_id(number: int | None) -> str | None:
    """As every id of an answer: 64 bits are more than a number in JSON holds everywhere."""
    return None if number is None else str(number)


class Issue(Answer):
    id: str
    key: str


class ProblemField(Answer):
    pointer: str = Field(description="JSON pointer into the body, or `/query/…`, `/path/…`")
    detail: str


class ProblemDetails(Answer):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable; see the list at the operation")
    errors: list[ProblemField]
    request_id: str | None


class Queued(Answer):
    id: str
    status: str


storable_or_none = AfterValidator(lambda text: None if text is None else storable(text))

JsonObject = dict[str, Any]
