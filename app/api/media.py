"""Media types of requests and answers, as far as refusing a wrong one needs it."""

from collections.abc import Iterable

_ALWAYS = ("application/problem+json",)


def is_json(content_type: str | None) -> bool:
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def accepts(header: str | None, produces: Iterable[str]) -> bool:
    """Whether an ``Accept`` header leaves room for one of *produces*. No header takes all."""
    if header is None or not header.strip():
        return True
    offered = (*produces, *_ALWAYS)
    return any(_matches(item, media) for item in header.split(",") for media in offered)


def _matches(item: str, media: str) -> bool:
    kind, *params = (part.strip().lower() for part in item.split(";"))
    if any(param.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for param in params):
        return False
    if kind in {"*/*", media}:
        return True
    major, _, minor = kind.partition("/")
    return minor == "*" and media.startswith(f"{major}/")
