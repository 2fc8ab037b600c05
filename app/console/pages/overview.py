"""The overview: what needs a person first, then each connection."""

import asyncio
from typing import Any

from starlette.responses import Response

from app.console.page import Visit, get

_SHOWN = 50


async def _overview(visit: Visit) -> Response:
    api = visit.api
    connections, incidents, plans, failures = await asyncio.gather(
        api.get("connections", limit=_SHOWN, cursor=visit.query("cursor")),
        api.get("incidents", state="open", limit=20),
        api.get("plans", status="held", limit=20),
        api.get("failures", limit=20),
    )
    names = [it["name"] for it in connections["items"]]
    statuses = await asyncio.gather(*(api.get(f"connections/{name}/status") for name in names))
    rows = list(zip(connections["items"], statuses, strict=True))
    return visit.page(
        "overview.html",
        "Overview",
        rows=rows,
        next=connections["next"],
        incidents=incidents["items"],
        plans=plans["items"],
        failures=failures,
        waits=[(row["name"], status) for row, status in rows if _waits(status)],
    )


def _waits(status: dict[str, Any]) -> bool:
    return bool(status["unknown"] or status["unconfirmed"] or status["waiting"])


ROUTES = [get("/", _overview)]
