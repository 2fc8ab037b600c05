"""Admin webhooks: the only kind that sends `issuelink_*` events (docs/jira.md)."""

from dataclasses import dataclass, field

from app.core.errors import PermanentError, TransientError
from app.jira.http.errors import facts, unexpected
from app.jira.http.request import Call
from app.jira.http.response import JsonObject
from app.jira.http.transport import Transport

_PATH = "/rest/webhooks/1.0/webhook"

EVENTS = (
    "issuelink_created",
    "issuelink_deleted",
    "jira:issue_created",
    "jira:issue_updated",
    "jira:issue_deleted",
)


@dataclass(frozen=True, slots=True)
class Webhook:
    """One registered webhook. `id` is the last part of its address at Jira."""

    id: str
    name: str
    url: str
    events: tuple[str, ...]
    enabled: bool
    signed: bool | None
    """Whether it is signed; None if Jira does not say (`isSigned` is a field of newer versions)."""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """No JQL filter: link events do not support one, and it would drop some silently."""

    name: str
    url: str
    secret: str = field(repr=False)
    events: tuple[str, ...] = EVENTS


class WebhookAdmin:
    """Needs the Administer Jira permission; 403 without it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def register(self, wanted: WebhookRequest) -> Webhook:
        """Make a webhook without filters: link events are never filtered by JQL."""
        body: JsonObject = {
            "name": wanted.name,
            "url": wanted.url,
            "events": list(wanted.events),
            "filters": {},
            "excludeBody": False,
            "secret": wanted.secret,
        }
        call = Call("webhooks", "POST", _PATH, body, write=True)
        answer = await self._transport.call(call)
        if answer.status not in {200, 201}:
            raise unexpected(answer, call)
        return _webhook(answer.json())

    async def every(self) -> list[Webhook]:
        """All webhooks that administrators made. Raises `TransientError` `bad_answer`."""
        call = Call("webhooks", "GET", _PATH)
        answer = await self._transport.call(call)
        if answer.status != 200:
            raise unexpected(answer, call)
        listed = answer.json()
        if not isinstance(listed, list):
            raise TransientError("bad_answer", "webhooks", facts(call, answer))
        return [_webhook(entry) for entry in listed]

    async def remove(self, webhook_id: str) -> bool:
        """Delete a webhook; False if there is none with this id."""
        if not (webhook_id.isascii() and webhook_id.isalnum()):
            raise PermanentError("bad_id", "webhook id")
        call = Call("webhooks", "DELETE", f"{_PATH}/{webhook_id}", write=True)
        answer = await self._transport.call(call)
        if answer.status not in {200, 204, 404}:
            raise unexpected(answer, call)
        return answer.status != 404


def _webhook(raw: object) -> Webhook:
    if not isinstance(raw, dict):
        raise TransientError("bad_answer", "webhook")
    events = raw.get("events")
    signed = raw.get("isSigned")
    return Webhook(
        id=str(raw.get("id") or str(raw.get("self", "")).rstrip("/").rpartition("/")[2]),
        name=str(raw.get("name", "")),
        url=str(raw.get("url", "")),
        events=tuple(str(event) for event in events) if isinstance(events, list) else (),
        enabled=raw.get("enabled") is not False,
        signed=signed if isinstance(signed, bool) else None,
    )
