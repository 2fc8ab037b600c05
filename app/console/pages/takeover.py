"""Taking over links: those of another product, and all of a Jira that has moved.

Each asks for a plan that two owners approve, and is followed to its end. Nothing in Jira changes.
"""

from urllib.parse import quote

from starlette.responses import Response

from app.console.api import Json, Refused
from app.console.faults import NONE, Faults, by_pointer, faults_of
from app.console.page import Visit, get, post, to
from app.console.pages.recovery import times_of

_TYPED = ("connection", "account_id", "since", "until")
_ADOPTION = {
    "/account_id": "account_id",
    "/confirm_account": "confirm_account",
    "/since": "since",
    "/until": "until",
}
_REHOMING = {"/to": "to", "/connection": "connection"}


async def _adopt(visit: Visit) -> Response:
    name = quote(visit.said("connection"), safe="")
    body: Json = {"account_id": visit.said("account_id")} | times_of(visit)
    if visit.said("confirm_account"):
        body["confirm_account"] = visit.said("confirm_account")
    try:
        made = await visit.api.post(f"connections/{name}/adoptions", body)
    except Refused as refused:
        return await _asking(visit, faults_of(refused, by_pointer(_ADOPTION)), refused.status)
    return to(f"/connections/{name}/adoptions/{made['id']}", done="asked")


async def _ask(visit: Visit) -> Response:
    return await _asking(visit, NONE, 200)


async def _asking(visit: Visit, faults: Faults, code: int) -> Response:
    """*typed* is the form that was refused, or what a link names."""
    connections = (await visit.api.get("statuses", limit=1000))["items"]
    return visit.page(
        "adopt.html",
        "Take over another tool's links",
        code=code,
        connections=[(it["connection"], it["connection"]) for it in connections],
        typed={name: visit.said(name) or visit.query(name) for name in _TYPED},
        faults=faults,
    )


async def _adoptions(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    asked = visit.part("cursor")
    found = await visit.api.get(f"connections/{name}/adoptions", limit=50, **asked)
    return visit.page("adoptions.html", f"Adoptions of {name}", name=name, found=found)


async def _adoption(visit: Visit) -> Response:
    name, number = (visit.request.path_params[it] for it in ("name", "id"))
    it = await visit.api.get(f"connections/{name}/adoptions/{number}")
    return visit.page("adoption.html", f"Adoption {number}", it=it)


async def _rehomings(visit: Visit) -> Response:
    return await _moved(visit, visit.request.path_params["name"], NONE, 200)


async def _rehome(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    body: Json = {it: visit.said(it) for it in ("to", "connection") if visit.said(it)}
    try:
        await visit.api.post(f"sites/{name}/rehomings", body)
    except Refused as refused:
        return await _moved(visit, name, faults_of(refused, by_pointer(_REHOMING)), refused.status)
    return to(f"/sites/{name}/rehomings", done="asked")


async def _moved(visit: Visit, name: str, faults: Faults, code: int) -> Response:
    found = await visit.api.get(f"sites/{name}/rehomings")
    sites = (await visit.api.get("sites", limit=1000))["items"]
    return visit.page(
        "rehomings.html",
        f"Where {name} has moved",
        code=code,
        name=name,
        found=found["items"],
        others=[it["name"] for it in sites if it["name"] != name],
        typed={it: visit.said(it) for it in ("to", "connection")},
        faults=faults,
    )


ROUTES = [
    get("/recover/adopt", _ask),
    post("/recover/adopt", _adopt),
    get("/connections/{name}/adoptions", _adoptions),
    get("/connections/{name}/adoptions/{id}", _adoption),
    get("/sites/{name}/rehomings", _rehomings),
    post("/sites/{name}/rehomings", _rehome),
]
