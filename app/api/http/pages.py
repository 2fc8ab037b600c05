"""Lists in pages: `limit`, and a `cursor` that only this installation can make, for the list,
the filters and the confinement that it came from."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar

from fastapi import Query

from app.api.http.problems import Problem

_T = TypeVar("_T")
_R = TypeVar("_R")

LARGEST = 9_223_372_036_854_775_807
"""Ids are bigint; lists that begin with the newest start below this."""

Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most")]
Cursor = Annotated[str | None, Query(max_length=1000, description="`next` of the page before")]
Position = str | int


class Signer(Protocol):
    """Signs with a key of the installation."""

    def sign(self, text: bytes) -> str: ...

    def has_signed(self, text: bytes, signature: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Cursors:
    """The cursors of one list, for one set of filters and one confinement. A position that we
    did not give is refused: queries get positions from here unchecked."""

    signer: Signer
    path: str
    filters: Sequence[tuple[str, str]] = ()
    confined_to: Sequence[int] | None = None

    def encode(self, position: Position) -> str:
        raw = json.dumps([self.signer.sign(self._statement(position)), position]).encode()
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def decode(self, cursor: str) -> Position:
        """Raises `Problem` `cursor_mismatch`."""
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            found, position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (ValueError, TypeError, RecursionError, binascii.Error):
            raise Problem("cursor_mismatch") from None
        if not isinstance(found, str) or isinstance(position, bool):
            raise Problem("cursor_mismatch")
        if not isinstance(position, str | int):
            raise Problem("cursor_mismatch")
        if not self.signer.has_signed(self._statement(position), found):
            raise Problem("cursor_mismatch")
        return position

    def _statement(self, position: Position) -> bytes:
        within = None if self.confined_to is None else sorted(self.confined_to)
        text = json.dumps(["cursor", self.path, sorted(self.filters), within, position])
        return text.encode("ascii")


@dataclass(frozen=True, slots=True)
class Page:
    """What the caller asked for."""

    limit: int
    cursors: Cursors
    _after: Position | None = None

    @classmethod
    def asked(cls, cursors: Cursors, limit: int, cursor: str | None) -> "Page":
        """Raises `Problem` `cursor_mismatch`."""
        return cls(limit, cursors, None if cursor is None else cursors.decode(cursor))

    def after(self, start: int) -> int:
        return self._after if isinstance(self._after, int) else start

    def after_name(self) -> str:
        return self._after if isinstance(self._after, str) else ""

    @property
    def fetch(self) -> int:
        """One more than is shown: whether there is a next page costs no second query."""
        return self.limit + 1

    def answer(
        self, rows: Sequence[_R], show: Callable[[_R], _T], position: Callable[[_R], Position]
    ) -> dict[str, Any]:
        """`items` and `next` of up to `fetch` rows."""
        shown = rows[: self.limit]
        more = len(rows) > self.limit
        following = self.cursors.encode(position(shown[-1])) if more else None
        return {"items": [show(row) for row in shown], "next": following}
