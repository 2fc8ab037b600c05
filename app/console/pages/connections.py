"""One connection: its state, what it may do, its configuration through time."""

import asyncio
from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from app.console import charts
from app.console.page import Visit, get, post, to

SPANS = {
    "2d": (timedelta(days=2), "hour", "two days, by hour"),
    "30d": (timedelta(days=30), "day", "thirty days, by day"),
    "1y": (timedelta(days=365), "day", "a year, by day"),
}


async def _connection(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    span = visit.query("span") if visit.query("span") in SPANS else "2d"
    length, bucket, _ = SPANS[span]
    since = (datetime.now(UTC) - length).isoformat()
    at = f"connections/{name}"
    connection, status, revisions, activity, plans, incidents = await asyncio.gather(
        visit.api.get(at),
        visit.api.get(f"{at}/status"),
        visit.api.get(f"{at}/revisions", limit=20),
        visit.api.get(f"{at}/activity", since=since, bucket=bucket),
        visit.api.get("plans", connection=name, limit=10),
        visit.api.get("incidents", connection=name, limit=10),
    )
    windows = connection["guard"]["windows"]
    scope = "hour" if bucket == "hour" else "day"
    limit = next((it["limit"] for it in windows if it["scope"] == scope), None)
    return visit.page(
        "connection.html",
        name,
        it=connection,
        status=status,
        revisions=revisions["items"],
        plans=plans["items"],
        incidents=incidents["items"],
        chart=charts.activity(activity["items"], limit=limit),
        spans={key: spoken for key, (_, _, spoken) in SPANS.items()},
        span=span,
        modes=("shadow", "create_only", "review", "live"),
    )


async def _pause(visit: Visit) -> Response:
    return await _switch(visit, "pause", "paused")


async def _resume(visit: Visit) -> Response:
    return await _switch(visit, "resume", "resumed")


async def _reset(visit: Visit) -> Response:
    return await _switch(visit, "guard/reset", "reset")


async def _switch(visit: Visit, what: str, done: str) -> Response:
    name = visit.request.path_params["name"]
    await visit.api.post(f"connections/{name}/{what}")
    return to(f"/connections/{name}", done=done)


async def _mode(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    await visit.api.put(f"connections/{name}/mode", {"mode": visit.form.get("mode", "")})
    return to(f"/connections/{name}", done="mode")


async def _resync(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    asked: dict[str, object] = {"dry_run": visit.form.get("dry_run") == "on"}
    issues = visit.form.get("issues", "").replace(",", " ").split()
    if issues:
        asked["issues"] = [issue.upper() for issue in issues]
    made = await visit.api.post(f"connections/{name}/resyncs", asked)
    return to(f"/resyncs/{made['id']}", done="resync")


async def _rollback(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    number = visit.form.get("revision", "")
    body = {
        "revision": int(number) if number.isdecimal() else 0,
        "undo": visit.form.get("undo") == "on",
    }
    await visit.api.post(f"connections/{name}/rollback", body)
    return to(f"/connections/{name}", done="rolled_back")


async def _links(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    asked = visit.part("state", "issue", "type", "cursor")
    found = await visit.api.get(f"connections/{name}/links", limit=100, **asked)
    return visit.page("links.html", f"Links of {name}", name=name, found=found, asked=asked)


async def _twins(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    asked = visit.part("status", "issue", "cursor")
    found = await visit.api.get(f"connections/{name}/twins", limit=100, **asked)
    return visit.page("twins.html", f"Twins of {name}", name=name, found=found, asked=asked)


ROUTES = [
    get("/connections/{name}", _connection),
    get("/connections/{name}/links", _links),
    get("/connections/{name}/twins", _twins),
    post("/connections/{name}/pause", _pause),
    post("/connections/{name}/resume", _resume),
    post("/connections/{name}/guard-reset", _reset),
    post("/connections/{name}/mode", _mode),
    post("/connections/{name}/resyncs", _resync),
    post("/connections/{name}/rollback", _rollback),
]
