"""How columns that many tables share become values."""

from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

from app.core.links import IssueId, IssueKey, IssueRef, LinkId
from app.store.pool import Row

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)
else:
    T = TypeVar("T")


def issue_ref(row: Row, end: str) -> IssueRef:
    """The issue in the columns *end*`_id` and *end*`_key`."""
    return IssueRef(IssueId(str(row[f"{end}_id"])), IssueKey(row[f"{end}_key"]))


def link_id(value: int | None) -> LinkId | None:
    return None if value is None else LinkId(str(value))


def from_row(shape: type[T], row: Row, /, **others: object) -> T:
    """A dataclass *shape*, whose fields are columns of the same names, except for *others*."""
    names = [it.name for it in fields(shape) if it.name not in others]
    return shape(**{name: row[name] for name in names}, **others)
