"""The public status page and its feeds: no sign-in, no private data, one statement in ten seconds.

What it shows was chosen by a person, incident by incident; see `app.core.status_page.status`.
"""

import asyncio
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.console import statuspage
from app.console.render import html
from app.core.status_page.status import TITLES, Component, PublicStatus
from app.store.alerts import publications
from app.wiring import Services

_KEPT = timedelta(seconds=10)
_CACHED = {"Cache-Control": "public, max-age=30", "Access-Control-Allow-Origin": "*"}
_PAST = 50


class StatusCache:
    """The status as it was a few seconds ago: strangers cannot make the database work."""

    def __init__(self) -> None:
        self._known: tuple[Services, PublicStatus] | None = None
        self._lock = asyncio.Lock()

    async def get(self, services: Services) -> PublicStatus:
        now = services.clock()
        async with self._lock:
            known = self._known
            if known is None or known[0] is not services or now - known[1].at >= _KEPT:
                async with services.database.connection() as conn:
                    known = services, PublicStatus(now, await publications.latest(conn, now))
                self._known = known
            return known[1]


async def _status(request: Request) -> PublicStatus:
    cache: StatusCache = request.app.state.public_status
    return await cache.get(request.app.state.services)


async def _page(request: Request) -> Response:
    status = await _status(request)
    shown = html(
        "status.html",
        title="Status",
        visit=None,
        status=status,
        components=[(TITLES[it], status.impact(it), status.history(it)) for it in Component],
        past=[it for it in status.incidents if not it.is_open][:_PAST],
        told=statuspage.told,
        sentence=statuspage.SENTENCES,
    )
    shown.headers.update(_CACHED)
    return shown


async def _summary(request: Request) -> Response:
    found = statuspage.summary(await _status(request), _here(request))
    return JSONResponse(found, headers=_CACHED)


async def _incidents(request: Request) -> Response:
    found = statuspage.incidents(await _status(request), _here(request))
    return JSONResponse(found, headers=_CACHED)


async def _feed(request: Request) -> Response:
    text = statuspage.atom(await _status(request), _here(request))
    return Response(text, media_type="application/atom+xml", headers=_CACHED)


def _here(request: Request) -> str:
    """The page's own address: as the administrator says it is, else as it was asked for."""
    services: Services = request.app.state.services
    base = services.settings.public_url or f"{request.url.scheme}://{request.url.netloc}"
    return f"{base}/status"


ROUTES = [
    Route("/status", _page, methods=["GET"]),
    Route("/status/feed.atom", _feed, methods=["GET"]),
    Route("/status/api/v2/summary.json", _summary, methods=["GET"]),
    Route("/status/api/v2/incidents.json", _incidents, methods=["GET"]),
]
