"""Lists in pages: `limit`, and a `cursor` that fits only the list and filters it came from."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Query, Request

from app.api.http.problems import Problem

_T = TypeVar("_T")
_R = TypeVar("_R")

LARGEST = 9_223_372_036_854_775_807
"""Ids are bigint; lists that begin with the newest start below this."""

Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most")]
Cursor = Annotated[str | None, Query(max_length=1000, description="`next` of the page before")]


@dataclass(frozen=True, slots=True)
class Page:
    """What the caller asked for. The filters' digest makes a cursor of another list unusable."""

    limit: int
    _after: str | int | None
    _digest: str

    def after(self, start: int) -> int:
        return self._after if isinstance(self._after, int) else start

    def after_name(self) -> str:
        return self._after if isinstance(self._after, str) else ""

    @property
    def fetch(self) -> int:
        """One more than is shown: whether there is a next page costs no second query."""
        return self.limit + 1

    def answer(
        self, rows: Sequence[_R], show: Callable[[_R], _T], position: Callable[[_R], str | int]
    ) -> dict[str, Any]:
        """`items` and `next` of up to `fetch` rows."""
        shown = rows[: self.limit]
        more = len(rows) > self.limit
        following = _encode(self._digest, position(shown[-1])) if more else None
        return {"items": [show(row) for row in shown], "next": following}


def page(request: Request, limit: Limit = 100, cursor: Cursor = None) -> Page:
    """A dependency of every list. Raises `Problem` `cursor_mismatch`."""
    return _page(request, limit, cursor)


def whole_page(request: Request, limit: Limit = 1000, cursor: Cursor = None) -> Page:
    """For what is rarely longer than one page and is wanted whole."""
    return _page(request, limit, cursor)


def first_page(path: str) -> Page:
    """For an answer that shows what is at another address: its cursor continues there."""
    return Page(1000, None, _digest(path, {}))


def _page(request: Request, limit: int, cursor: str | None) -> Page:
    filters = {
        name: value
        for name, value in sorted(request.query_params.multi_items())
        if name not in {"cursor", "limit"}
    }
    digest = _digest(request.url.path, filters)
    return Page(limit, None if cursor is None else _decode(cursor, digest), digest)


def _digest(path: str, filters: Mapping[str, str]) -> str:
    text = json.dumps([path, filters], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _encode(digest: str, position: str | int) -> str:
    raw = json.dumps([digest, position]).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(cursor: str, digest: str) -> str | int:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found, position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error):
        raise Problem("cursor_mismatch") from None
    if found != digest or not _sound(position):
        raise Problem("cursor_mismatch")
    return position  # type: ignore[no-any-return]


def _sound(position: Any) -> bool:
    if isinstance(position, bool):
        return False
    if isinstance(position, int):
        return 0 <= position <= LARGEST
    return isinstance(position, str) and position.isascii() and position.isprintable()
