"""Plans: what would change and why, both sides beside each other, and the decision."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from app.console.page import Visit, get, post, to

_PAGE = 200
Json = dict[str, Any]


async def _list(visit: Visit) -> Response:
    asked = visit.part("connection", "status", "cursor")
    found = await visit.api.get("plans", limit=50, **asked)
    return visit.page("plans.html", "Plans", found=found, asked=asked)


async def _plan(visit: Visit) -> Response:
    number = visit.request.path_params["id"]
    plan = await visit.api.get(f"plans/{number}", limit=_PAGE, cursor=visit.query("cursor"))
    wanted = visit.query("find").upper()
    changes = [it for it in plan["changes"] if not wanted or wanted in _keys(it)]
    connection = await visit.api.get(f"connections/{plan['connection']}")
    return visit.page(
        "plan.html",
        f"Plan {number}",
        plan=plan,
        connection=connection,
        groups=grouped(changes),
        find=visit.query("find"),
        decidable=plan["status"] in {"held", "approved"} and plan["kind"] not in _SHOWN_ONLY,
        revocable=plan["status"] in {"approved", "applying"} and plan["kind"] not in _SHOWN_ONLY,
    )


_SHOWN_ONLY = frozenset({"shadow", "dry_run"})


def grouped(changes: Sequence[Json]) -> list[tuple[str, list[Json]]]:
    """Changes by the key of their source issue."""
    ordered = sorted(changes, key=lambda it: (it["site"], _order(it["source"]["key"])))
    return [
        (key, list(group)) for key, group in groupby(ordered, key=lambda it: it["source"]["key"])
    ]


def _order(key: str) -> tuple[str, int]:
    project, _, number = key.rpartition("-")
    return project, int(number) if number.isdecimal() else 0


def _keys(change: Json) -> str:
    return f"{change['source']['key']} {change['destination']['key']}".upper()


async def _approve(visit: Visit) -> Response:
    return await _decide(visit, "approval", "approved")


async def _reject(visit: Visit) -> Response:
    return await _decide(visit, "rejection", "rejected")


async def _revoke(visit: Visit) -> Response:
    number = visit.request.path_params["id"]
    asked = urlencode({"note": visit.form.get("note", "")})
    await visit.api.delete(f"plans/{number}/approval?{asked}")
    return to(f"/plans/{number}", done="revoked")


async def _decide(visit: Visit, decision: str, done: str) -> Response:
    number = visit.request.path_params["id"]
    body = {"digest": visit.form.get("digest", ""), "note": visit.form.get("note", "")}
    await visit.api.post(f"plans/{number}/{decision}", body)
    return to(f"/plans/{number}", done=done)


ROUTES = [
    get("/plans", _list),
    get("/plans/{id}", _plan),
    post("/plans/{id}/approve", _approve),
    post("/plans/{id}/reject", _reject),
    post("/plans/{id}/revoke", _revoke),
]
