"""Media types of requests and answers: refusing a wrong one, choosing among several."""

from collections.abc import Iterable, Sequence

_ALWAYS = ("application/problem+json",)


def is_json(content_type: str | None) -> bool:
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def accepts(header: str | None, produces: Iterable[str]) -> bool:
    """Whether an `Accept` header leaves room for one of *produces*. No header takes all."""
    if header is None or not header.strip():
        return True
    offered = (*produces, *_ALWAYS)
    return any(_matches(item, media) for item in header.split(",") for media in offered)


def preferred(header: str | None, produces: Sequence[str]) -> str:
    """Which of *produces* an `Accept` header would have; the first where it does not mind."""
    items = sorted((header or "*/*").split(","), key=_weight, reverse=True)
    found = (media for item in items for media in produces if _matches(item, media))
    return next(found, produces[0])


def _weight(item: str) -> float:
    """The `q` of one item; what cannot be read counts as wanted least."""
    for param in item.split(";")[1:]:
        name, _, value = param.strip().partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _matches(item: str, media: str) -> bool:
    kind, *params = (part.strip().lower() for part in item.split(";"))
    if any(param.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for param in params):
        return False
    if kind in {"*/*", media}:
        return True
    major, _, minor = kind.partition("/")
    return minor == "*" and media.startswith(f"{major}/")
