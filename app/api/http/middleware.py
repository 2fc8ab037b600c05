"""Around every request: an id to find it by, headers against misuse, and the last net for
unexpected errors. Bare ASGI, because webhooks pass through it too."""

import re
import uuid

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.http import problems
from app.api.http.problems import Problem
from app.telemetry import request_context

_LOG = structlog.get_logger(__name__)
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
UNLESS_SET = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Pages of the console bring their own."""


class Surroundings:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        started = False

        async def dressed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _dress(message, request_id)
            await send(message)

        with request_context(request_id):
            try:
                await self._app(scope, receive, dressed)
            except Exception:
                # The traceback goes to the log, redacted; the answer says nothing about it.
                _LOG.exception("unexpected_error", path=scope["path"], method=scope["method"])
                if started:
                    raise
                await problems.response(Problem("internal"))(scope, receive, dressed)


def _request_id(scope: Scope) -> str:
    """The caller's own, where it can be repeated without harm."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value, "ascii")
    return uuid.uuid4().hex


def _dress(message: Message, request_id: str) -> None:
    headers = MutableHeaders(scope=message)
    headers["X-Request-Id"] = request_id
    headers.update(HEADERS)
    for name, value in UNLESS_SET.items():
        headers.setdefault(name, value)
