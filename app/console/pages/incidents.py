"""Incidents with their timeline, what they correlate with, and the calls that they offer."""

from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response

from app.console.page import Visit, get, post, problem_page, to

Json = dict[str, Any]
_HOUR = timedelta(hours=1)
_MAKERS: Final = {
    "rollback": "approver",
    "restores": "approver",
    "check": "admin",
    "unlock": "operator",
    "verifications": "operator",
}
"""The last part of a call's path, and the role whose button makes it here. What else is offered
is a link: a page of the console, or the plan whose digest a person has to see first."""


async def _list(visit: Visit) -> Response:
    asked = visit.part("connection", "state", "cursor")
    found = await visit.api.get("incidents", limit=50, **asked)
    return visit.page("incidents.html", "Incidents", found=found, asked=asked)


async def _incident(visit: Visit) -> Response:
    number = visit.request.path_params["id"]
    it = await visit.api.get(f"incidents/{number}")
    offers = [_offer(visit, call) for call in it["calls"]]
    return visit.page("incident.html", it["title"], it=it, offers=offers, rescue=_rescue(visit, it))


def _rescue(visit: Visit, it: Json) -> str | None:
    """Where links that another tool removed are put back, with the incident's time filled in:
    from an hour before what it saw first to an hour after what it saw last."""
    may = visit.may("approver") and not visit.confined
    first = it["facts"].get("first_removal") or it["facts"].get("first_seen")
    if not may or not first or it["kind"] not in {"guard_tripped", "mirrors_vanished"}:
        return None
    since = datetime.fromisoformat(str(first)) - _HOUR
    until = datetime.fromisoformat(it["last_seen_at"]) + _HOUR
    times = {"since": f"{since:%Y-%m-%dT%H:%M}", "until": f"{until:%Y-%m-%dT%H:%M}"}
    return f"/recover?{urlencode(times)}#rescue"


def _offer(visit: Visit, call: Json) -> Json:
    """A call as the page shows it: `href` leads to a page, `button` makes the call."""
    role = None if call["method"] == "GET" else _MAKERS.get(_last(call))
    return {
        "purpose": call["purpose"][:1].upper() + call["purpose"][1:],
        "command": call["command"],
        "button": role is not None and visit.may(role),
        "href": None if role else call["path"].removesuffix("/approval"),
    }


def _last(call: Json) -> str:
    return str(call["path"]).rpartition("/")[2]


async def _call(visit: Visit) -> Response:
    """Make a call that the incident offers. It is looked up again by its command: neither the
    path nor the body comes from the form."""
    number = visit.request.path_params["id"]
    it = await visit.api.get(f"incidents/{number}")
    wanted = visit.form.get("command", "")
    offered = [call for call in it["calls"] if call["command"] == wanted and _last(call) in _MAKERS]
    if not offered:
        return problem_page(409, "The incident does not offer this any more", "Look at it again.")
    [call, *_] = offered
    made = await visit.api.post(call["path"].lstrip("/"), call["body"])
    match _last(call):
        case "rollback" if made["plan_id"]:
            return to(f"/plans/{made['plan_id']}", done="rolled_back")
        case "restores":
            return to(f"/restores/{made['id']}", done="asked")
        case "check":
            return visit.page(
                "site_check.html", f"Check of {it['site']}", name=it["site"], found=made
            )
        case _:
            return to(f"/incidents/{number}", done="made")


async def _update(visit: Visit) -> Response:
    number = visit.request.path_params["id"]
    body: dict[str, object] = {"text": visit.form.get("text", "")}
    for name in ("state", "impact"):
        if visit.form.get(name):
            body[name] = visit.form[name]
    await visit.api.post(f"incidents/{number}/updates", body)
    return to(f"/incidents/{number}", done="updated")


async def _publish(visit: Visit) -> Response:
    number = visit.request.path_params["id"]
    names = ("impact", "title", "component", "text")
    body = {name: visit.form[name].strip() for name in names if visit.form.get(name, "").strip()}
    await visit.api.put(f"incidents/{number}/publication", body)
    return to(f"/incidents/{number}", done="published")


async def _withdraw(visit: Visit) -> Response:
    number = visit.request.path_params["id"]
    await visit.api.delete(f"incidents/{number}/publication")
    return to(f"/incidents/{number}", done="withdrawn")


ROUTES = [
    get("/incidents", _list),
    get("/incidents/{id}", _incident),
    post("/incidents/{id}/updates", _update),
    post("/incidents/{id}/calls", _call),
    post("/incidents/{id}/publish", _publish),
    post("/incidents/{id}/withdraw", _withdraw),
]
