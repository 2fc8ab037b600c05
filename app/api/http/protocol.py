"""HTTP/1.1 on a socket, within limits that hold before any route is known.

uvicorn reads the head of a request however long it is and however slowly it comes, so a stranger
could hold memory and connections for ever. What it refuses by itself, it answers in plain text.
"""

import asyncio
from typing import Final

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.api.http import problems
from app.api.http.middleware import HEADERS, UNLESS_SET
from app.api.http.problems import MEDIA_TYPE, Problem

LARGEST_HEAD: Final = 64 * 1024
"""Bytes of the request line and all headers; ours take a few hundred."""
HEAD_SECONDS: Final = 15.0
"""For the head, counted from when a connection is open or the next request begins."""
REQUEST_SECONDS: Final = 90.0
"""For everything of a request, its body included. Routes have shorter limits of their own and can
answer by them; this one ends what no route reads."""


class _HeadTooLarge(Exception):
    """Ends the parsing; the parser wraps it."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Its timer runs while a request is coming in and at no other time: what we
    take for our answer is none of the client's doing."""

    _incoming: asyncio.TimerHandle | None = None
    _begun = False
    _in_head = True
    _unparsed = 0
    _named = 0
    _refusal = "bad_request"

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_within(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # A header that never ends reaches no callback, so whole reads are counted too. The read in
        # which a request begins may hold the end of another and is left out.
        if self._in_head and self._unparsed > LARGEST_HEAD:
            self._refusal = "headers_too_large"
            self.send_400_response("")
            return
        self._unparsed += len(data)
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words
        """In the shape and with the headers of every other refusal."""
        self._stop_timer()
        problem = Problem(self._refusal)
        body = orjson.dumps(problems.body(problem))
        named = {
            "content-type": MEDIA_TYPE,
            "content-length": str(len(body)),
            "connection": "close",
            **HEADERS,
            **UNLESS_SET,
        }
        lines = [f"{name.lower()}: {value}\r\n".encode("latin-1") for name, value in named.items()]
        self.transport.write(b"".join((STATUS_LINE[problem.status_code], *lines, b"\r\n", body)))
        self.transport.close()

    # -- what the parser says

    def on_message_begin(self) -> None:
        self._begun = self._in_head = True
        self._unparsed = self._named = 0
        self._refusal = "bad_request"
        self._expect_within(HEAD_SECONDS)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._named += len(name) + len(value)
        if self._named + len(self.url) > LARGEST_HEAD:
            self._refusal = "headers_too_large"
            raise _HeadTooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._expect_within(REQUEST_SECONDS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stop_timer()
        super().on_message_complete()

    # -- time

    def _expect_within(self, seconds: float) -> None:
        self._stop_timer()
        self._incoming = self.loop.call_later(seconds, self._too_slow)

    def _stop_timer(self) -> None:
        if self._incoming is not None:
            self._incoming.cancel()
            self._incoming = None

    def _too_slow(self) -> None:
        """A client that still sends its head gets the reason. Later an answer may be under way
        already, and a client that has sent nothing gets nothing."""
        self._incoming = None
        if self.transport.is_closing():
            return
        if self._begun and self._in_head:
            self._refusal = "request_too_slow"
            self.send_400_response("")
        else:
            self.transport.close()
