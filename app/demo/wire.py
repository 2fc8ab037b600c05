"""A record of what a sandbox site sends: raw bodies, headers, answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import time
from typing import Any

import httpx
import orjson

from app.sandbox import Served

_KEPT = 2000
"""More than the story sends; a demo that stays up for days must not grow."""

# Shorter than the receiver keeps an idle connection: what is sent at the very moment in which the
# receiver closes gets no answer.
_LIMITS = httpx.Limits(keepalive_expiry=2.0)


@dataclass(frozen=True, slots=True)
class Sent:
    """One webhook and its answer. `at` is when it left, Unix seconds; `seconds` until the
    answer was there; `status` 0 where none came."""

    site: str
    at: float
    seconds: float
    path: str
    headers: dict[str, str]
    body: bytes
    status: int
    answer: Any

    @property
    def identifier(self) -> str:
        return self.headers.get("x-atlassian-webhook-identifier", "")

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)
        return found

    @property
    def verdict(self) -> str:
        """Our receiver's word for it: accepted, duplicate, ignored; or what went wrong."""
        said = self.answer.get("status") if isinstance(self.answer, dict) else None
        return said if isinstance(said, str) else str(self.status)


@dataclass
class Wire(httpx.AsyncBaseTransport):
    """Passes on what a site's courier sends, over real sockets, and keeps it."""

    site: str
    sent: list[Sent] = field(default_factory=list)
    tell: Callable[[Sent], None] | None = None
    _through: httpx.AsyncHTTPTransport = field(
        default_factory=lambda: httpx.AsyncHTTPTransport(limits=_LIMITS)
    )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        at = time()
        try:
            answer = await self._through.handle_async_request(request)
            said = await answer.aread()
        except httpx.TransportError as error:
            self._keep(request, at, 0, {"status": type(error).__name__})
            raise
        self._keep(request, at, answer.status_code, _plain(said))
        return answer

    async def aclose(self) -> None:
        await self._through.aclose()

    def _keep(self, request: httpx.Request, at: float, status: int, answer: Any) -> None:
        sent = Sent(
            self.site, at, time() - at, request.url.path, dict(request.headers),
            request.content, status, answer,
        )  # fmt: skip
        self.sent.append(sent)
        del self.sent[:-_KEPT]
        if self.tell is not None:
            self.tell(sent)


def tap(served: Served) -> Wire:
    """Record the site's webhooks from now on."""
    wire = Wire(served.site.name)
    served.courier.reroute(wire)
    return wire


def _plain(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
