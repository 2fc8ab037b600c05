"""Plans: what would change and why, both sides beside each other, and the decision."""

import math
import re
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from app.console.page import Visit, get, post, to
from app.core.removed_by import in_words

_PAGE = 200
_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,254}-[0-9]{1,18}")
Json = dict[str, Any]


async def _list(visit: Visit) -> Response:
    asked = visit.part("connection", "status", "cursor")
    found = await visit.api.get("plans", limit=50, **asked)
    return visit.page("plans.html", "Plans", found=found, asked=asked)


async def _plan(visit: Visit) -> Response:
    number = visit.request.path_params["id"]
    find = visit.query("find").upper()
    plan = await visit.api.get(
        f"plans/{number}",
        limit=_PAGE,
        cursor=visit.query("cursor"),
        issue=find if _KEY.fullmatch(find) else "",
    )
    connection = await visit.api.get(f"connections/{plan['connection']}")
    return visit.page(
        "plan.html",
        f"Plan {number}",
        plan=plan,
        connection=connection,
        groups=grouped(plan["changes"]),
        find=find,
        left_over=await _left_over(visit, plan),
        origins=_origins(plan["origins_removed"]),
        following=urlencode({"find": find, "cursor": plan["next"] or ""}),
        decidable=plan["status"] in {"held", "approved"} and plan["kind"] not in _SHOWN_ONLY,
        revocable=plan["status"] in {"approved", "applying"} and plan["kind"] not in _SHOWN_ONLY,
    )


def _origins(it: Json | None) -> str | None:
    """Who removed the origins, in words."""
    if it is None:
        return None
    first, last = (datetime.fromisoformat(it[name]) for name in ("first", "last"))
    seconds = math.ceil((last - first).total_seconds())
    return in_words(it["removals"], it["accounts"], seconds)


async def _left_over(visit: Visit, plan: Json) -> list[str]:
    """The plans that hold what the guard did not let this one remove."""
    if plan["status"] != "applied":
        return []
    undone = await visit.api.get(f"plans/{plan['id']}", limit=_PAGE, undone="true")
    results = [str(it["result"]) for it in undone["changes"]]
    held = {it.removeprefix("held:") for it in results if it.startswith("held:")}
    return sorted(held, key=lambda it: it.zfill(20))


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
