"""The overview: what needs a person first, then each connection."""

import asyncio
from typing import Any

from starlette.responses import Response

from app.console.page import Visit, get

_SHOWN = 20


async def _overview(visit: Visit) -> Response:
    api, cursor = visit.api, visit.query("cursor")
    connections, statuses, incidents, plans, failures = await asyncio.gather(
        api.get("connections", limit=_SHOWN, cursor=cursor),
        api.get("statuses", limit=_SHOWN, cursor=visit.query("statuses")),
        api.get("incidents", state="open", limit=20),
        api.get("plans", status="held", limit=20),
        api.get("failures", limit=20),
    )
    known = {it["connection"]: it for it in statuses["items"]}
    rows = [(it, known[it["name"]]) for it in connections["items"] if it["name"] in known]
    watched = [it for it in incidents["items"] if it["state"] == "monitoring"]
    return visit.page(
        "overview.html",
        "Overview",
        rows=rows,
        next=connections["next"],
        next_statuses=statuses["next"],
        incidents=[it for it in incidents["items"] if it not in watched],
        watched=watched,
        plans=plans["items"],
        failures=failures,
        nothing_live=not cursor
        and not connections["next"]
        and not any(it["mode"] == "live" for it, _ in rows),
        waits=[(row["name"], status) for row, status in rows if _waits(status)],
    )


def _waits(status: dict[str, Any]) -> bool:
    return bool(status["unknown"] or status["unconfirmed"] or status["waiting"])


ROUTES = [get("/", _overview)]
