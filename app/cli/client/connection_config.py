"""A connection's configuration, made from options or in the form that `put` accepts."""

from enum import StrEnum
from typing import Any

from app.cli.output.errors import UsageError

_REVERSED = ":reversed"


class Direction(StrEnum):
    LEFT_TO_RIGHT = "left_to_right"
    RIGHT_TO_LEFT = "right_to_left"
    BOTH = "both"


class MirrorRemoved(StrEnum):
    DETACH = "detach"
    RECREATE = "recreate"


def from_options(
    left: str | None,
    right: str | None,
    *,
    direction: Direction,
    link_types: list[str],
    on_mirror_removed: MirrorRemoved,
    twin_field: str | None,
    approvals: int,
) -> dict[str, Any]:
    if left is None or right is None or not link_types:
        raise UsageError("give FILE, or --left, --right and at least one --link-type")
    body: dict[str, Any] = {
        "left": _end("--left", left),
        "right": _end("--right", right),
        "direction": direction.value,
        "link_types": [_link_type(text) for text in link_types],
        "on_mirror_removed": on_mirror_removed.value,
    }
    if approvals > 1:
        body["approvals"] = approvals
    return body | ({} if twin_field is None else {"twins": _twin_field(twin_field)})


def as_put(config: dict[str, Any]) -> dict[str, Any]:
    """The API returns every field, but refuses fields that have no effect."""
    twins = {name: value for name, value in config["twins"].items() if value is not None}
    return config | {"twins": twins}


def _end(option: str, text: str) -> dict[str, Any]:
    site, colon, projects = text.partition(":")
    keys = [key.strip() for key in projects.split(",") if key.strip()]
    if not (site and colon and keys):
        raise UsageError(f"{option} must be SITE:PROJECT,…, such as cloud:OPS,WEB")
    return {"site": site, "projects": keys}


def _link_type(text: str) -> dict[str, Any]:
    names = text.removesuffix(_REVERSED)
    left, _, right = names.partition("=")
    return {"left": left, "right": right or left, "reversed": names != text}


def _twin_field(text: str) -> dict[str, str]:
    side, _, field = text.partition(":")
    if side not in {"left", "right"} or not field:
        raise UsageError("--twin-field must be left:FIELD or right:FIELD")
    return {"source": "field", "side": side, "field": field}
