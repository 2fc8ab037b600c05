"""Pages from templates. Everything is escaped; text from Jira is text, whatever it contains."""

import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from app import __version__
from app.console.remedies import remedy
from app.console.words import because, why
from app.core.plan import KINDS

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
NOTHING = "\N{EN DASH}"
"""Where there is no value."""
# Controls, what no XML may hold, and marks that change the direction of the text around them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)


def html(template: str, *, code: int = 200, **values: Any) -> Response:
    """*code* is the HTTP status, which the page may show too."""
    page = _environment().get_template(template).render(code=code, **values)
    return HTMLResponse(page, code, headers={"Content-Security-Policy": POLICY})


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("app.console", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=plain,
    )
    made.filters |= {"when": when, "ago": ago, "words": words, "many": many, "plan_kind": plan_kind}
    made.filters |= {"because": because, "why": why, "remedy": remedy}
    made.globals["version"] = __version__
    return made


def plain(value: Any) -> Any:
    """What a template prints: control characters and direction marks become visible signs."""
    if value is None:
        return NOTHING
    if type(value) is str:
        return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", value)
    return value


def shown(value: object) -> str:
    """As `plain`, for what is no page: text in any case."""
    return str(plain(None if value is None else str(value)))


def when(value: str | None) -> str:
    """A time of the API as a person reads it, in UTC."""
    return NOTHING if value is None else f"{_time(value):%Y-%m-%d %H:%M:%S} UTC"


def ago(value: str | None) -> str:
    """How long ago a time of the API is, roughly."""
    if value is None:
        return "never"
    seconds = (datetime.now(UTC) - _time(value)).total_seconds()
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if abs(seconds) >= size:
            count = many(int(abs(seconds) // size), unit)
            return f"{count} ago" if seconds > 0 else f"in {count}"
    return "just now"


def words(value: str | None) -> str:
    """A word of the API as prose: `create_only` is *create only*."""
    return NOTHING if value is None else value.replace("_", " ").replace(":", ": ")


def plan_kind(kind: str) -> str:
    return KINDS.get(kind, words(kind))


def many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _time(value: str) -> datetime:
    return datetime.fromisoformat(value)
