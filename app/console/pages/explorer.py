"""The explorer: an issue's key leads to its twin, to every link on both sides, and to why."""

import re
from typing import Any

from starlette.responses import Response

from app.console import charts
from app.console.api import Refused
from app.console.page import Visit, get

_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,254}-[0-9]{1,18}")
Json = dict[str, Any]
_SHOWN = 20
"""Connections of one issue; each is asked of both sites."""


async def _explore(visit: Visit) -> Response:
    issue = visit.query("issue").upper()
    known, found, more = bool(_KEY.fullmatch(issue)), [], False
    if known:
        twins = await visit.api.get("twins", issue=issue, limit=_SHOWN)
        wanted, more = visit.query("connection"), twins["next"] is not None
        found = [
            await _in(visit, it, issue) for it in twins["items"] if wanted in ("", it["connection"])
        ]
    return visit.page(
        "explorer.html",
        f"Issue {issue}" if known else "Explore",
        issue=issue,
        known=known,
        found=found,
        more=more,
    )


async def _in(visit: Visit, twin: Json, issue: str) -> Json:
    """The issue in one connection."""
    name = twin["connection"]
    try:
        links = (await visit.api.get(f"connections/{name}/explain", issue=issue))["items"]
        problem = None
    except Refused as refused:
        links, problem = [], str(refused.problem.get("detail") or refused.code)
    return {
        "name": name,
        "twin": twin,
        "links": links,
        "problem": problem,
        "picture": charts.links(twin, links),
    }


ROUTES = [get("/explore", _explore)]
