"""Recovery: put back what was removed, take back what was made, take over another tool's links.

Each form asks for a plan; nothing is written before a person has approved it.
"""

from datetime import UTC, datetime

from starlette.responses import Response

from app.console.api import Json
from app.console.page import Visit, get, post, to


async def _choose(visit: Visit) -> Response:
    connections = (await visit.api.get("connections", limit=1000))["items"]
    sites = (await visit.api.get("sites", limit=1000))["items"]
    recent = (await visit.api.get("restores", limit=10))["items"]
    return visit.page(
        "recover.html",
        "Recover",
        connections=[it["name"] for it in connections],
        sites=[it["name"] for it in sites],
        recent=recent,
    )


async def _restore(visit: Visit) -> Response:
    body: Json = {"operation": visit.form.get("operation", "remove")}
    for name in ("connection", "site", "plan", "cause"):
        if visit.form.get(name):
            body[name] = visit.form[name].strip()
    body |= _times(visit)
    if visit.form.get("revision", "").isdecimal():
        body["revision"] = int(visit.form["revision"])
    issues = visit.form.get("issues", "").replace(",", " ").upper().split()
    if issues:
        body["issues"] = issues
    made = await visit.api.post("restores", body)
    return to(f"/restores/{made['id']}", done="asked")


async def _rescue(visit: Visit) -> Response:
    body: Json = {name: visit.form.get(name, "").strip() for name in ("site", "account_id")}
    made = await visit.api.post("rescues", body | _times(visit))
    return to(f"/restores/{made['id']}", done="asked")


async def _adopt(visit: Visit) -> Response:
    name = visit.form.get("connection", "").strip()
    body: Json = {"account_id": visit.form.get("account_id", "").strip()}
    made = await visit.api.post(f"connections/{name}/adoptions", body | _times(visit))
    return to(f"/plans/{made['plan_id']}", done="asked")


def _times(visit: Visit) -> Json:
    """`since` and `until` of a form, which gives them without a zone: they are UTC."""
    return {
        name: instant
        for name in ("since", "until")
        if (instant := _instant(visit.form.get(name, "")))
    }


def _instant(text: str) -> str | None:
    if not text.strip():
        return None
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=UTC).isoformat()
    except ValueError:
        return text.strip()  # the API says what is wrong with it


ROUTES = [
    get("/recover", _choose),
    post("/recover/restore", _restore),
    post("/recover/rescue", _rescue),
    post("/recover/adopt", _adopt),
]
