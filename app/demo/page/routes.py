"""The routes of the page. They exist only in a demo, and answer only to this machine."""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Body, Depends, Query, Request
from fastapi.responses import JSONResponse, Response

from app.api.http.problems import Problem
from app.demo.page.panel import PERSON, words
from app.demo.page.state import View
from app.demo.stage import SideName
from app.sandbox import Refusal
from app.sandbox.people import person_on

_HERE = Path(__file__).parent
_MARK = "x-twinlink-demo"
_CONTENT = {"index.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Text = Annotated[str, Body(min_length=1, max_length=100)]


def router_for(view: View) -> APIRouter:
    """Reads for the page, and what a person may do on it."""
    router = APIRouter(dependencies=[Depends(_only_here)], include_in_schema=False)

    @router.get("/demo")
    async def page() -> Response:
        return _file("index.html")

    @router.get("/demo/{name}.{kind}")
    async def asset(name: str, kind: str) -> Response:
        return _file(f"{name}.{kind}")

    @router.get("/demo/choices")
    async def choices() -> dict[str, Any]:
        return view.choices()

    @router.get("/demo/state")
    async def state(
        after: Annotated[int, Query(ge=0)] = 0, left: int = -1, right: int = -1
    ) -> dict[str, Any]:
        return await view.state(after, {"left": left, "right": right})

    _add_actions(router, view)
    return router


def _add_actions(router: APIRouter, view: View) -> None:
    asked = [Depends(_asked_by_the_page)]

    @router.post("/demo/links/{site}", dependencies=asked)
    async def link(site: SideName, source: Text, type: Text, destination: Text) -> Response:
        person = person_on(view.stage.sites[site].site, PERSON)
        try:
            made = person.link(source.strip().upper(), type, destination.strip().upper())
        except Refusal as refusal:
            return _refused(refusal)
        except KeyError:
            return _refused(Refusal(404, "There is no such link type."))
        return JSONResponse({"id": made.id}, 201)

    @router.delete("/demo/links/{site}/{number}", dependencies=asked)
    async def unlink(site: SideName, number: int) -> Response:
        try:
            person_on(view.stage.sites[site].site, PERSON).unlink(number)
        except Refusal as refusal:
            return _refused(refusal)
        return Response(status_code=204)

    @router.post("/demo/guard/reset", dependencies=asked)
    async def reset() -> dict[str, str]:
        await view.stage.service.post("connections/demo/guard/reset")
        return {"state": "armed"}


def _refused(refusal: Refusal) -> Response:
    return JSONResponse({"detail": words(refusal)}, refusal.status)


def _file(name: str) -> Response:
    if name not in _CONTENT:
        raise Problem("not_found")
    return Response(
        (_HERE / name).read_bytes(),
        media_type=f"{_CONTENT[name]}; charset=utf-8",
        headers={"Content-Security-Policy": _POLICY},
    )


def _only_here(request: Request) -> None:
    """From a loopback address, and asked for by such a name: another site's page that resolves
    its own name to this machine must not play with it."""
    caller = request.client.host if request.client else ""
    named = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    if not _is_loopback(caller) or not (named == "localhost" or _is_loopback(named)):
        raise Problem("forbidden", "the demo's page answers to this machine only")


def _asked_by_the_page(request: Request) -> None:
    """A header of our own: a page of another origin cannot send it unasked."""
    headers: Mapping[str, str] = request.headers
    if _MARK not in headers:
        raise Problem("forbidden", f"{_MARK} is missing")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
