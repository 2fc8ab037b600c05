"""The `changelog` expansion of an issue: its Link items only, oldest first.

Summaries, comments and everything else that a history holds are dropped here, unread.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from app.core.evidence import IssueView, LinkChange
from app.core.links import AccountId, IssueKey
from app.jira.http.malformed import MalformedError


@dataclass(frozen=True, slots=True)
class Shape:
    """The differences between deployments. `account` is the field with a user's id; `page` is the
    number of newest histories to which a bulk answer is cut, None for no cut."""

    account: str
    page: int | None


CLOUD_SHAPE = Shape("accountId", 40)
DATA_CENTER_SHAPE = Shape("key", None)


def parse_changelog(raw: object, shape: Shape) -> tuple[tuple[LinkChange, ...] | None, bool]:
    """The Link items, and whether the changelog is whole. A missing changelog is None."""
    if raw is None:
        return None, False
    if not isinstance(raw, dict) or not isinstance(raw.get("histories"), list):
        raise MalformedError("changelog")
    histories = raw["histories"]
    return parse_histories(histories, shape), _complete(raw, len(histories), shape)


def parse_histories(histories: Iterable[object], shape: Shape) -> tuple[LinkChange, ...]:
    """The Link items of these histories, oldest first: in the order of their ids, since the
    clocks of one Data Center's nodes differ. If an id is not a number, in the order of time."""
    return _sorted([change for history in histories for change in _link_changes(history, shape)])


def _sorted(changes: list[LinkChange]) -> tuple[LinkChange, ...]:
    numbered = all(change.history_id.isdecimal() for change in changes)
    changes.sort(key=_by_number if numbered else _by_time)
    return tuple(changes)


def _by_number(change: LinkChange) -> tuple[int, str]:
    return (int(change.history_id), "")


def _by_time(change: LinkChange) -> tuple[datetime, str]:
    return (change.at, change.history_id.zfill(20))


def with_whole(view: IssueView, whole: tuple[LinkChange, ...]) -> IssueView:
    """*view* with its whole changelog. Jira sometimes answers with less than it showed before, even
    with nothing: then the known entries stay, and the changelog is marked incomplete."""
    known = view.changes or ()
    missing = [it for it in known if it not in whole]
    if not missing:
        return replace(view, changes=whole, changes_complete=True)
    return replace(view, changes=_sorted([*whole, *missing]), changes_complete=False)


def _complete(page: dict[str, Any], shown: int, shape: Shape) -> bool:
    """Whether the page has all histories. `total` counts them all, but is documented as the number
    on the page, so a full page counts as cut off."""
    total, start = page.get("total"), page.get("startAt", 0)
    if not isinstance(total, int) or start != 0 or total > shown:
        return False
    return shape.page is None or shown < shape.page


def _link_changes(history: object, shape: Shape) -> list[LinkChange]:
    if not isinstance(history, dict) or not isinstance(history.get("items"), list):
        raise MalformedError("history")
    items = [item for item in history["items"] if _names_link(item)]
    if not items:
        return []
    at, author = _time(history.get("created")), _account(history.get("author"), shape)
    history_id = str(history.get("id", ""))
    found = []
    for item in items:
        # Removed before added: after a history that replaces a link, the link exists.
        for added, key, text in ((False, "from", "fromString"), (True, "to", "toString")):
            target = item.get(key)
            if target is not None:
                words = item.get(text) or ""
                if not isinstance(target, str) or not isinstance(words, str):
                    raise MalformedError("link item")
                found.append(LinkChange(at, author, added, IssueKey(target), words, history_id))
    return found


def _names_link(item: object) -> bool:
    if not isinstance(item, dict):
        raise MalformedError("history item")
    return item.get("field") == "Link" or item.get("fieldId") == "issuelinks"


def _account(raw: object, shape: Shape) -> AccountId | None:
    """The author; None if Jira names no user: an automation, a deleted or a hidden user."""
    value = raw.get(shape.account) if isinstance(raw, dict) else None
    return AccountId(value) if isinstance(value, str) and value else None


def _time(raw: object) -> datetime:
    if not isinstance(raw, str):
        raise MalformedError("history time")
    try:
        at = datetime.fromisoformat(raw)
    except ValueError:
        raise MalformedError("history time") from None
    if at.tzinfo is None:
        raise MalformedError("history time")
    return at.astimezone(UTC)
