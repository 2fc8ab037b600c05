"""In a demo: its two sandbox sites, on which a person makes and deletes links.

The console knows no sandbox: the demo puts a panel into the application, and without one there is
nothing at these addresses.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from app.console.faults import NONE, Faults, one
from app.console.page import Visit, get, post, problem_page, to

SHOWN = 30


class PanelRefused(Exception):
    """The sandbox said no, in Jira's words."""


class Panel(Protocol):
    """The sandbox sites of a demo, as its one person sees them."""

    def sites(self, find: str, most: int) -> Sequence[Mapping[str, Any]]: ...

    def link(self, side: str, source: str, type_name: str, destination: str) -> None: ...

    def unlink(self, side: str, number: int) -> None: ...


def panel_of(request: Request) -> Panel | None:
    panel: Panel | None = getattr(request.app.state, "sandbox_panel", None)
    return panel


async def _sites(visit: Visit) -> Response:
    return await _page(visit, "", NONE)


async def _page(visit: Visit, side: str, faults: Faults) -> Response:
    """*side* is where something was refused."""
    panel = panel_of(visit.request)
    if panel is None:
        return _nothing()
    find = visit.query("find")
    return visit.page(
        "sandbox.html",
        "Sandbox sites",
        code=422 if faults else 200,
        sites=panel.sites(find, SHOWN),
        find=find,
        side=side,
        faults=faults,
        typed={name: visit.said(name) for name in ("source", "type", "destination")},
        feed=visit.sandbox_page,
    )


async def _link(visit: Visit) -> Response:
    side, panel = visit.request.path_params["side"], panel_of(visit.request)
    if panel is None:
        return _nothing()
    if not visit.may("operator"):
        return _forbidden()
    source, destination = (visit.said(name).upper() for name in ("source", "destination"))
    try:
        panel.link(side, source, visit.said("type"), destination)
    except PanelRefused as refused:
        return await _page(visit, side, one("source", str(refused)))
    return to("/sandbox", done="linked")


async def _unlink(visit: Visit) -> Response:
    side, panel = visit.request.path_params["side"], panel_of(visit.request)
    number = visit.request.path_params["number"]
    if panel is None or not (number.isascii() and number.isdecimal() and len(number) < 19):
        return _nothing()
    if not visit.may("operator"):
        return _forbidden()
    try:
        panel.unlink(side, int(number))
    except PanelRefused as refused:
        return await _page(visit, side, one("source", str(refused)))
    return to("/sandbox", done="unlinked")


def _forbidden() -> Response:
    return problem_page(403, "Forbidden", "An operator makes and deletes links here.")


def _nothing() -> Response:
    return problem_page(404, "Not found", "Sandbox sites are part of `twinlink up --demo`.")


ROUTES = [
    get("/sandbox", _sites),
    post("/sandbox/{side}/links", _link),
    post("/sandbox/{side}/links/{number}/delete", _unlink),
]
