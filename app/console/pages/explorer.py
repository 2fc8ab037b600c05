"""The explorer: an issue's key leads to its twin, to every link on both sides, and to why."""

import re
from typing import Any

from starlette.responses import Response

from app.console import charts
from app.console.api import Refused
from app.console.page import Visit, get

_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,254}-[0-9]{1,18}")
Json = dict[str, Any]


async def _explore(visit: Visit) -> Response:
    issue = visit.query("issue").upper()
    connections = (await visit.api.get("connections", limit=1000))["items"]
    known, found = bool(_KEY.fullmatch(issue)), []
    if known:
        wanted = visit.query("connection")
        names = [it["name"] for it in connections if wanted in ("", it["name"])]
        found = [it for name in names if (it := await _in(visit, name, issue)) is not None]
    return visit.page(
        "explorer.html",
        f"Issue {issue}" if known else "Explore",
        issue=issue,
        known=known,
        found=found,
        connections=connections,
    )


async def _in(visit: Visit, name: str, issue: str) -> Json | None:
    """The issue in one connection; None where it has no twin there."""
    twins = (await visit.api.get(f"connections/{name}/twins", issue=issue, limit=10))["items"]
    if not twins:
        return None
    try:
        links = (await visit.api.get(f"connections/{name}/explain", issue=issue))["items"]
        problem = None
    except Refused as refused:
        links, problem = [], str(refused.problem.get("detail") or refused.code)
    return {
        "name": name,
        "twin": twins[0],
        "links": links,
        "problem": problem,
        "picture": charts.links(twins[0], links),
    }


ROUTES = [get("/explore", _explore)]
