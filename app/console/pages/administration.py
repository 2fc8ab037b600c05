"""What administrators keep: sites and tokens."""

from starlette.responses import Response

from app.console.api import Json
from app.console.page import Visit, get, post, to


async def _sites(visit: Visit) -> Response:
    found = await visit.api.get("sites", limit=200, cursor=visit.query("cursor"))
    return visit.page("sites.html", "Sites", found=found)


async def _check(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    found = await visit.api.post(f"sites/{name}/check")
    return visit.page("site_check.html", f"Check of {name}", name=name, found=found)


async def _tokens(visit: Visit) -> Response:
    found = await visit.api.get("tokens", limit=200, cursor=visit.query("cursor"))
    return visit.page("tokens.html", "Tokens", found=found, made=None)


async def _make(visit: Visit) -> Response:
    body: Json = {name: visit.form.get(name, "").strip() for name in ("role", "owner")}
    names = visit.form.get("connections", "").replace(",", " ").split()
    if names:
        body["connections"] = names
    made = await visit.api.post("tokens", body)
    found = await visit.api.get("tokens", limit=200)
    return visit.page("tokens.html", "Tokens", found=found, made=made)


async def _revoke(visit: Visit) -> Response:
    await visit.api.delete(f"tokens/{visit.request.path_params['id']}")
    return to("/tokens", done="made")


ROUTES = [
    get("/sites", _sites),
    get("/tokens", _tokens),
    post("/sites/{name}/check", _check),
    post("/tokens", _make),
    post("/tokens/{id}/revoke", _revoke),
]
