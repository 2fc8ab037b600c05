"""A connection's configuration, made from options or in the form that `put` accepts."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.cli.client.api_client import Refused, Service
from app.cli.output.errors import UsageError
from app.core.connection.as_sent import connection_as_sent

_REVERSED = ":reversed"
BY_HAND = "none"
"""In place of a twin field: twins come from the API and from CSV."""


class Direction(StrEnum):
    LEFT_TO_RIGHT = "left_to_right"
    RIGHT_TO_LEFT = "right_to_left"
    BOTH = "both"


class MirrorRemoved(StrEnum):
    DETACH = "detach"
    RECREATE = "recreate"


class IssueDeleted(StrEnum):
    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Current:
    """The active configuration of a connection, in the form that `put` accepts."""

    revision: int
    mode: str
    config: dict[str, Any]


def current(api: Service, name: str) -> Current | None:
    """None where there is no such connection. Not of the newest revision: that may be in shadow."""
    try:
        shown = api.get(f"connections/{name}")
    except Refused as refused:
        if refused.status == 404:
            return None
        raise
    active = shown["revision"]
    config = api.get(f"connections/{name}/revisions/{active}")["config"]
    return Current(active, shown["mode"], connection_as_sent(config))


def from_options(
    left: str | None,
    right: str | None,
    *,
    direction: Direction | None,
    link_types: list[str],
    on_mirror_removed: MirrorRemoved | None,
    on_issue_deleted: IssueDeleted | None,
    twin_field: str | None,
    approvals: int | None,
) -> dict[str, Any]:
    """Only what the options name."""
    named = {
        "left": left and _end("--left", left),
        "right": right and _end("--right", right),
        "direction": direction and direction.value,
        "link_types": [link_type(text) for text in link_types],
        "on_mirror_removed": on_mirror_removed and on_mirror_removed.value,
        "on_issue_deleted": on_issue_deleted and on_issue_deleted.value,
        "twins": twin_field and twin_field_of(twin_field),
        "approvals": approvals,
    }
    return {field: value for field, value in named.items() if value}


def refuse_incomplete(named: Mapping[str, Any]) -> None:
    """A new connection: nothing that decides what is written has a default."""
    options = {
        "left": "--left SITE:PROJECT,… (twinlink site list, twinlink site projects SITE)",
        "right": "--right SITE:PROJECT,…",
        "link_types": "--link-type TYPE (twinlink site types SITE)",
        "direction": "--direction left_to_right: links made on left are mirrored on right; "
        "right_to_left: the other way; both: either way",
    }
    missing = [said for field, said in options.items() if field not in named]
    if missing:
        raise UsageError("a new connection needs FILE, or also these options", details=missing)


def _end(option: str, text: str) -> dict[str, Any]:
    site, colon, projects = text.partition(":")
    keys = [key.strip().upper() for key in projects.split(",") if key.strip()]
    if not (site and colon and keys):
        raise UsageError(f"{option} must be SITE:PROJECT,…, such as cloud:OPS,WEB")
    return {"site": site, "projects": keys}


def link_type(text: str) -> dict[str, Any]:
    """`Blocks`, `LEFT=RIGHT` or `LEFT=RIGHT:reversed`, in the form that the API takes."""
    names = text.removesuffix(_REVERSED)
    left, _, right = names.partition("=")
    return {"left": left, "right": right or left, "reversed": names != text}


def twin_field_of(text: str) -> dict[str, str]:
    if text == BY_HAND:
        return {"source": "api"}
    side, _, field = text.partition(":")
    if side not in {"left", "right"} or not field:
        raise UsageError(f"--twin-field must be left:FIELD, right:FIELD or {BY_HAND}")
    return {"source": "field", "side": side, "field": field}
