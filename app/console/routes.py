"""All routes of the console. They come after the API's, and none lies below `/api`."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from app.console import live
from app.console.pages import (
    administration,
    connections,
    explorer,
    incidents,
    overview,
    plans,
    records,
    recovery,
    sandbox,
    setup,
    signing_in,
    status,
    takeover,
)
from app.console.render import html

_STATIC = Path(__file__).parent / "static"
_CONTENT = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


async def _static(request: Request) -> Response:
    name = request.path_params["file"]
    if name not in _CONTENT:
        return html("problem.html", code=404, title="Not found", visit=None, detail="", errors=[])
    return FileResponse(
        _STATIC / name,
        media_type=f"{_CONTENT[name]}; charset=utf-8",
        headers={"Cache-Control": "max-age=3600"},
    )


def routes() -> list[BaseRoute]:
    return [
        Route("/static/{file}", _static, methods=["GET"]),
        *signing_in.ROUTES,
        *overview.ROUTES,
        *connections.ROUTES,
        *plans.ROUTES,
        *incidents.ROUTES,
        *explorer.ROUTES,
        *records.ROUTES,
        *recovery.ROUTES,
        *sandbox.ROUTES,
        *takeover.ROUTES,
        *administration.ROUTES,
        *setup.ROUTES,
        *live.ROUTES,
        *status.ROUTES,
    ]
