"""Why a plan exists, in a sentence for a person who has not read the design."""

from collections.abc import Mapping
from typing import Final

_HELD: Final[Mapping[str, str]] = {
    "hour": "the guard's limit of an hour was reached",
    "day": "the guard's limit of a day was reached",
    "left_site_hour": "all connections of the left site reached their limit of an hour",
    "right_site_hour": "all connections of the right site reached their limit of an hour",
    "site_hour": "all connections of a site reached their limit of an hour",
    "leaves_none": "it would leave none of the connection's links",
    "issue_share": "it would take most of the links of one issue",
    "tripped": "the guard has tripped, and holds every removal until a person decides",
    "review": "this connection is in review, where every removal waits for a decision",
    "origin_removal_unseen": "no changelog of its origin shows that the origin was removed",
    "long_pause": "the connection was paused for more than a day",
    "shadow": "this connection is in shadow, where changes are planned and none is made",
}


def because(reason: str | None) -> str:
    """Why a plan exists."""
    code = (reason or "").removeprefix("guard_")
    return _HELD.get(code, (reason or "").replace("_", " ").replace(":", ": "))
