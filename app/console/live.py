"""Pages that refresh themselves: an event whenever the page that is shown would look different.

The page is rendered again inside the process, with the same session, so an event can say nothing
that the page would not show; a session that has ended ends the stream.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from urllib.parse import unquote

import httpx
from sse_starlette import ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.console import session
from app.console.api import Api, Refused
from app.console.page import to
from app.process.event_streams import Events
from app.wiring import Services

SECONDS = 3.0
"""Between two looks at a page; whether its session has ended is asked more often."""
_ASK_SECONDS = 1.0
_MARK = b"<!-- live -->"


async def _live(request: Request) -> Response:
    services: Services = request.app.state.services
    who = await session.current(request, services)
    if who is None:
        return to("/sign-in")
    path = request.query_params.get("path", "/")
    reader = session.reader(request, who)
    return Events(_events(request, path), request.app.state.streams, reader, ping=30)


async def _events(request: Request, path: str) -> AsyncIterator[ServerSentEvent]:
    transport = httpx.ASGITransport(request.app, client=("127.0.0.1", 0))
    base = f"{request.url.scheme}://{request.url.netloc}"
    kept = {"cookie": request.headers.get("cookie", "")}
    async with httpx.AsyncClient(transport=transport, base_url=base, headers=kept) as client:
        shown = await _look(client, path)
        while shown is not None:
            now = await _look(client, path) if await _goes_on(request) else None
            if now != shown:
                yield ServerSentEvent("now", event="changed" if now is not None else "over")
            shown = now


async def _goes_on(request: Request) -> bool:
    """False as soon as the session has ended: signed out, too old, or its token revoked."""
    until = asyncio.get_running_loop().time() + SECONDS
    while (left := until - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(min(left, _ASK_SECONDS))
        if not await _signed_in(request):
            return False
    return True


async def _signed_in(request: Request) -> bool:
    """Whether the API answers this session."""
    who = await session.current(request, request.app.state.services)
    if who is None:
        return False
    try:
        await Api(request.app, who).get("me")
    except Refused as refused:
        return refused.status != 401
    return True


async def _look(client: httpx.AsyncClient, path: str) -> bytes | None:
    """What the live parts of the page come to; None once it is not shown any more."""
    plain = unquote(path.partition("?")[0].partition("#")[0])  # as it is routed
    if not plain.startswith("/") or plain.startswith(("//", "/live", "/api", "/sign")):
        return None
    if not path.isprintable():
        return None
    answer = await client.get(path)
    if answer.status_code != 200:
        return None
    parts = answer.content.split(_MARK)[1::2]
    return hashlib.sha256(b"".join(parts)).digest()


ROUTES = [Route("/live", _live, methods=["GET"])]
