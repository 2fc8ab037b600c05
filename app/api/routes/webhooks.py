"""`POST /webhooks/jira/{site}`: where Jira delivers.

FastAPI finds and documents this route but does not run it: taking a request apart for a function
would cost more than checking the delivery does.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Header, Path
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from app.api.auth.auth_throttle import source_of
from app.api.http import problems
from app.api.http.bodies import Body, BodyRefused, BodyTooLarge, BodyTooSlow, ClientGone, Intake
from app.api.http.problems import KINDS, Problem
from app.api.routing import responses
from app.core.errors import PermanentError, TransientError
from app.sync.ingest.inbox import SITE, Inbox, Receipt, UnknownSite
from app.sync.ingest.webhook_sources import Sender

_NEARLY = re.compile(r"/+webhooks/+jira/+([a-z0-9_-]{1,63})/*", re.IGNORECASE)
_WANTED = (
    b"content-length",
    b"x-hub-signature",
    b"x-atlassian-webhook-identifier",
    b"authorization",
)
_CLOSE = {"Connection": "close"}
"""The rest of a body that was not read is of no use to anybody."""


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """The route itself, on bare ASGI. `inbox` and `intake` are in the app's state."""
    state = scope["app"].state
    try:
        receipt = await _received(state.inbox, state.intake, scope, receive)
    except ClientGone:
        return
    except (PermanentError, TransientError, BodyRefused) as error:
        await problems.response(_problem(error))(scope, receive, send)
    else:
        await _send(send, receipt)


async def _received(inbox: Inbox, intake: Intake, scope: Scope, receive: Receive) -> Receipt:
    # Asked first: a stranger's body is not even read.
    sender = await _sender(inbox, scope)
    headers = {name: value for name, value in scope["headers"] if name in _WANTED}
    hashes = inbox.hashes(sender)
    with Body(intake, site=sender.name, address=source_of(scope.get("client"))) as body:
        raw = await body.read(receive, headers.get(b"content-length"), hashes)
        return await inbox.receive(
            sender,
            raw,
            hashes,
            signature=_text(headers, b"x-hub-signature"),
            identifier=_text(headers, b"x-atlassian-webhook-identifier"),
            authorization=_text(headers, b"authorization"),
        )


async def _sender(inbox: Inbox, scope: Scope) -> Sender:
    site: str = scope["path_params"]["site"]
    try:
        if SITE.fullmatch(site) is None:
            raise UnknownSite("site_unknown")
        return await inbox.sender(site)
    except UnknownSite:
        if _from_jira(scope):
            await inbox.astray(site)
        raise


def _from_jira(scope: Scope) -> bool:
    """Whether it says so: enough to count what nobody can check."""
    return any(
        name == b"x-atlassian-webhook-identifier"
        or (name == b"user-agent" and b"atlassian" in value.lower())
        for name, value in scope["headers"]
    )


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


async def _send(send: Send, receipt: Receipt) -> None:
    body = orjson.dumps({"delivery": receipt.delivery, "status": receipt.status})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _problem(error: PermanentError | TransientError | BodyRefused) -> Problem:
    """What cannot be committed now is 503, and Jira sends it again. Of the 4xx it repeats 408
    alone."""
    match error:
        case BodyTooLarge():
            return Problem("body_too_large", headers=_CLOSE)
        case BodyTooSlow():
            return Problem("body_too_slow", headers=_CLOSE)
        case BodyRefused():
            return problems.unavailable("unavailable", None)
        case TransientError():
            known = error.code in KINDS and KINDS[error.code].status == 503
            return problems.unavailable(error.code if known else "unavailable", error.retry_after)
        case PermanentError():
            known = error.code in KINDS and KINDS[error.code].status < 500
            return Problem(error.code if known else "malformed_delivery")


class _Undressed(APIRoute):
    """Matched and documented as any route, answered by `answer`."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            await answer(scope, receive, send)
        else:
            await super().handle(scope, receive, send)


class NearlyRight(BaseRoute):
    """Behind all other routes: what a person mistyped when entering the address into Jira. It is
    404 like any unknown path, and counted, because Jira says nothing about it to anybody."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and scope["method"] == "POST":
            found = _NEARLY.fullmatch(scope["path"])
            if found is not None:
                return Match.FULL, {"path_params": {"site": found[1]}}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = Problem("site_unknown", headers=_CLOSE)
        try:
            if _from_jira(scope):
                await scope["app"].state.inbox.astray(scope["path_params"]["site"])
        except TransientError as error:
            problem = _problem(error)
        await problems.response(problem)(scope, receive, send)


class Accepted(BaseModel):
    """`accepted` and `duplicate`: it is committed. `ignored`: it says nothing here."""

    delivery: str = Field(description="Jira's identifier of the event, else the body's hash")
    status: Literal["accepted", "duplicate", "ignored"]


router = APIRouter(route_class=_Undressed, tags=["webhooks"])


@router.post(
    "/webhooks/jira/{site}",
    status_code=202,
    response_model=Accepted,
    responses=responses.problems(
        "malformed_delivery",
        "delivery_unstorable",
        "signature_invalid",
        "site_unknown",
        "body_too_slow",
        "body_too_large",
        "database_unavailable",
        "unavailable",
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}},
            "description": "The event as Jira sends it, at most 25 MB.",
        }
    },
)
def deliver(
    site: Annotated[str, Path(pattern=SITE.pattern)],  # noqa: ARG001 - for the documents
    x_hub_signature: Annotated[  # noqa: ARG001
        str, Header(description="`sha256=` and the body's HMAC")
    ],
    x_atlassian_webhook_identifier: Annotated[  # noqa: ARG001
        str | None, Header(description="the same on every retry; counts once")
    ] = None,
) -> None:
    """Take one delivery. 202 means that it is committed; the same identifier counts once."""
    raise AssertionError("answered by the route itself")
