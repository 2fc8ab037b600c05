"""Webhook deliveries, reduced to identifiers.

A delivery only says *look at these issues*. So a body is accepted with any extra field and any
odd time, and refused only where the ids cannot be trusted. No other text of it survives.

=====================================================  ==================
body                                                   becomes
=====================================================  ==================
issuelink_created, issuelink_deleted                   `Delivery`
the same for a system link (epic, sub-task)            `Ignored`
jira:issue_created, jira:issue_deleted                 `Delivery`
jira:issue_updated that names a relevant field         `Delivery`
jira:issue_updated otherwise                           `Ignored`
any other event                                        `Ignored`
not JSON, not an object, no event, unusable ids        `MalformedDelivery`
=====================================================  ==================
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson

from app.core.errors import PermanentError
from app.jira.payloads import ISSUE_KEY
from app.jira.webhooks.signature import BodyHashes, verify_signature

__all__ = [
    "BodyHashes",
    "Delivery",
    "Ignored",
    "MalformedDelivery",
    "parse_delivery",
    "verify_signature",
]

Kind = Literal["link_created", "link_deleted", "issue_created", "issue_updated", "issue_deleted"]
IgnoredReason = Literal["other_event", "system_link", "no_relevant_change"]

_LINK_EVENTS: dict[str, Kind] = {
    "issuelink_created": "link_created",
    "issuelink_deleted": "link_deleted",
}
_ISSUE_EVENTS: dict[str, Kind] = {
    "jira:issue_created": "issue_created",
    "jira:issue_updated": "issue_updated",
    "jira:issue_deleted": "issue_deleted",
}
_EVENT_NAME = re.compile(r"[A-Za-z0-9_:.-]{1,64}")
_CUSTOM_FIELD = re.compile(r"customfield_[0-9]{1,19}")
_FIELDS = {
    "link": "link",
    "issuelinks": "link",
    "key": "key",
    "issuekey": "key",
    "project": "project",
    "security": "security",
    "security level": "security",
}
_ID_LIMIT = 2**63
"""Ids are stored as `bigint`."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MalformedDelivery(PermanentError):
    """Not a delivery that Jira sends: 400. `detail` names the part, never its content."""

    def __init__(self, part: str) -> None:
        super().__init__("malformed_delivery", part)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Issues to look at, and what the delivery said about them. All ids are 0 < id < 2**63.

    `issue_ids` holds one issue or the two ends, without repeats. `fields_changed` holds, of
    an update only, words among `link`, `key`, `project`, `security`, ids of custom
    fields (`customfield_10042`), and `custom` for a custom field that Jira did not name by
    id (Data Center): it may be the twin field. `timestamp` is None where it was unreadable.
    """

    event: str
    kind: Kind
    issue_ids: tuple[int, ...]
    link_id: int | None = None
    type_id: int | None = None
    source_id: int | None = None
    destination_id: int | None = None
    issue_key: str | None = None
    fields_changed: tuple[str, ...] = ()
    timestamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """A valid delivery that needs no action. `event` is `other` if its name is not a plain word."""

    event: str
    reason: IgnoredReason


def parse_delivery(raw: bytes) -> Delivery | Ignored:
    """Raises `MalformedDelivery`. Checks no signature: see `verify_signature`."""
    body = _load(raw)
    event = body.get("webhookEvent")
    if not isinstance(event, str):
        raise MalformedDelivery("webhookEvent")
    if event in _LINK_EVENTS:
        return _link_delivery(event, body)
    if event in _ISSUE_EVENTS:
        return _issue_delivery(event, body)
    return Ignored(event if _EVENT_NAME.fullmatch(event) else "other", "other_event")


def _link_delivery(event: str, body: dict[str, Any]) -> Delivery | Ignored:
    link = _object(body.get("issueLink"), "issueLink")
    kind = _object(link.get("issueLinkType") or {}, "issueLinkType")
    if True in (
        link.get("systemLink"),
        kind.get("isSystemLinkType"),
        kind.get("isSubTaskLinkType"),
    ):
        return Ignored(event, "system_link")
    source = _id(link.get("sourceIssueId"), "sourceIssueId")
    destination = _id(link.get("destinationIssueId"), "destinationIssueId")
    return Delivery(
        event=event,
        kind=_LINK_EVENTS[event],
        issue_ids=(source,) if source == destination else (source, destination),
        link_id=_optional_id(link.get("id"), "issueLink.id"),
        type_id=_optional_id(kind.get("id"), "issueLinkType.id"),
        source_id=source,
        destination_id=destination,
        timestamp=_time(body.get("timestamp")),
    )


def _issue_delivery(event: str, body: dict[str, Any]) -> Delivery | Ignored:
    issue = _object(body.get("issue"), "issue")
    kind = _ISSUE_EVENTS[event]
    changed = _fields_changed(body.get("changelog")) if kind == "issue_updated" else ()
    if kind == "issue_updated" and not changed:
        return Ignored(event, "no_relevant_change")
    key = issue.get("key")
    return Delivery(
        event=event,
        kind=kind,
        issue_ids=(_id(issue.get("id"), "issue.id"),),
        issue_key=key if isinstance(key, str) and ISSUE_KEY.fullmatch(key) else None,
        fields_changed=changed,
        timestamp=_time(body.get("timestamp")),
    )


def _fields_changed(changelog: object) -> tuple[str, ...]:
    """In order of appearance, without repeats. Malformed items are skipped."""
    items = changelog.get("items") if isinstance(changelog, dict) else None
    if not isinstance(items, list):
        return ()
    words = [_field_word(item) for item in items if isinstance(item, dict)]
    return tuple(dict.fromkeys(word for word in words if word))


def _field_word(item: dict[str, Any]) -> str | None:
    field_id, field = item.get("fieldId"), item.get("field")
    if isinstance(field_id, str):
        if _CUSTOM_FIELD.fullmatch(field_id):
            return field_id
        if field_id.lower() in _FIELDS:
            return _FIELDS[field_id.lower()]
    elif item.get("fieldtype") == "custom":
        return "custom"
    # A custom field may be called "Link": that causes a needless read, which does no harm.
    return _FIELDS.get(field.lower()) if isinstance(field, str) else None


def _load(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = _load_leniently(raw)
    return _object(body, "body")


def _load_leniently(raw: bytes) -> Any:
    """Half an emoji in a summary (a lone surrogate) must not cost the whole delivery, which
    Jira would not send again after a 400; orjson is stricter than JSON here."""
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise MalformedDelivery("not JSON") from None


def _object(value: object, part: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedDelivery(part)
    return value


def _id(value: object, part: str) -> int:
    """Link events carry integers, issue events text. Digits of other scripts are not ids."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < _ID_LIMIT:
        raise MalformedDelivery(part)
    return value


def _optional_id(value: object, part: str) -> int | None:
    return None if value is None else _id(value, part)


def _time(value: object) -> datetime | None:
    """Milliseconds, as a number or as digits. Relays replace it by text in other forms."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except OverflowError:
        return None
