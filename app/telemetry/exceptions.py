"""Exceptions in logs: where and what kind, never their words.

A library's message quotes what it choked on: a summary that should have been a number, a row that
broke a constraint, an address with its password. No pattern can recognise all of these, so the
message stays out, and with it the values of local variables. What remains says as much to whoever
can open the file: the frames, the classes, and the codes that classes of ours and drivers carry.
"""

import re
import traceback
from collections.abc import Iterator

from structlog.typing import ExcInfo

_CODE = re.compile(r"[A-Za-z0-9_.]{1,64}")
_CODES = ("code", "sqlstate", "errno", "status_code", "constraint_name", "table_name")
"""Attributes that hold a word of a program's, never one of a person's; anything else is dropped."""
_DEEPEST = 16
_WIDEST = 8


def without_words(exc_info: ExcInfo) -> str:
    """As Python prints it, less every message."""
    return "\n".join(_lines(exc_info[1], 0))


def _lines(error: BaseException | None, depth: int) -> Iterator[str]:
    if error is None or depth >= _DEEPEST:
        return
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _lines(before, depth + 1)
        yield "Caused:" if error.__cause__ else "While that was handled:"
    if error.__traceback__ is not None:
        yield "Traceback (most recent call last):"
        for frame in traceback.format_list(traceback.extract_tb(error.__traceback__)):
            yield frame.rstrip("\n")
    yield _named(error)
    if isinstance(error, BaseExceptionGroup):
        for at, inner in enumerate(error.exceptions[:_WIDEST], start=1):
            yield f"{at} of {len(error.exceptions)}:"
            yield from _lines(inner, depth + 1)


def _named(error: BaseException) -> str:
    kind = type(error)
    codes = [f"{name}={code}" for name in _CODES if (code := _code(error, name)) is not None]
    said = f" ({', '.join(codes)})" if codes else ""
    return f"{kind.__module__}.{kind.__qualname__}{said}"


def _code(error: BaseException, name: str) -> str | None:
    value = getattr(error, name, None)
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if _CODE.fullmatch(text) else None
