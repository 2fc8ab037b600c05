"""Incidents with their timeline, what they correlate with, and the calls that they offer."""

from starlette.responses import Response

from app.console.page import Visit, get, post, to


async def _list(visit: Visit) -> Response:
    asked = visit.part("connection", "state", "cursor")
    found = await visit.api.get("incidents", limit=50, **asked)
    return visit.page("incidents.html", "Incidents", found=found, asked=asked)


async def _incident(visit: Visit) -> Response:
    number = visit.request.path_params["id"]
    it = await visit.api.get(f"incidents/{number}")
    return visit.page("incident.html", it["title"], it=it)


async def _update(visit: Visit) -> Response:
    number = visit.request.path_params["id"]
    body: dict[str, object] = {"text": visit.form.get("text", "")}
    for name in ("state", "impact"):
        if visit.form.get(name):
            body[name] = visit.form[name]
    await visit.api.post(f"incidents/{number}/updates", body)
    return to(f"/incidents/{number}", done="updated")


ROUTES = [
    get("/incidents", _list),
    get("/incidents/{id}", _incident),
    post("/incidents/{id}/updates", _update),
]
