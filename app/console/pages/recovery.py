"""Recovery: put back what was removed, take back what was made, take over another tool's links.

Each form asks for a plan; nothing is written before a person has approved it.
"""

from datetime import UTC, datetime

from starlette.responses import Response

from app.console import report
from app.console.api import Json
from app.console.page import Handler, Visit, get, post, problem_page, to

_NOUNS = ("restores", "rescues")
_KINDS = {"restore": "Restore", "undo": "Undo of creations", "rescue": "Rescue"}
_OVER = frozenset({"succeeded", "partial"})
_REASONS = 200
"""Links that a page explains; the report has all."""


async def _choose(visit: Visit) -> Response:
    # Their list is cheap: one statement for all of them.
    connections = (await visit.api.get("statuses", limit=1000))["items"]
    sites = (await visit.api.get("sites", limit=1000))["items"]
    recent = [(noun, it) for noun in _NOUNS for it in (await visit.api.get(noun, limit=5))["items"]]
    return visit.page(
        "recover.html",
        "Recover",
        connections=[it["connection"] for it in connections],
        sites=[it["name"] for it in sites],
        recent=sorted(recent, key=lambda it: it[1]["created_at"], reverse=True),
        times={name: visit.query(name) for name in ("since", "until")},
    )


async def _restore(visit: Visit) -> Response:
    body: Json = {"operation": visit.form.get("operation", "remove")}
    for name in ("connection", "site", "plan", "cause"):
        if visit.form.get(name):
            body[name] = visit.form[name].strip()
    body |= times_of(visit)
    if visit.form.get("revision", "").isdecimal():
        body["revision"] = int(visit.form["revision"])
    issues = visit.form.get("issues", "").replace(",", " ").upper().split()
    if issues:
        body["issues"] = issues
    made = await visit.api.post("restores", body)
    return to(f"/restores/{made['id']}", done="asked")


async def _rescue(visit: Visit) -> Response:
    body: Json = {name: visit.form.get(name, "").strip() for name in ("site", "account_id")}
    made = await visit.api.post("rescues", body | times_of(visit))
    return to(f"/rescues/{made['id']}", done="asked")


def _listing(noun: str) -> Handler:
    async def handler(visit: Visit) -> Response:
        asked = visit.part("connection", "cursor")
        found = await visit.api.get(noun, limit=100, **asked)
        title = noun.capitalize()
        return visit.page("restores.html", title, noun=noun, found=found, asked=asked)

    return handler


def _shown(noun: str) -> Handler:
    """How far it is, what became of each link that was not put back, and its report."""

    async def handler(visit: Visit) -> Response:
        number = visit.request.path_params["id"]
        it = await visit.api.get(f"{noun}/{number}")
        left, more = await _left(visit, it)
        title = f"{_KINDS[it['kind']]} {number}"
        return visit.page("restore.html", title, noun=noun, it=it, left=left, more=more)

    return handler


async def _left(visit: Visit, it: Json) -> tuple[list[Json], bool]:
    """What was not done, once it is over, and whether there may be more of it. Nothing is read
    for it while it is under way, or where all was done."""
    if it["status"] not in _OVER or not it["skipped"] + it["failed"] + it["held"]:
        return [], False
    plan = await visit.api.get(f"plans/{it['plan_id']}", limit=_REASONS, undone="true")
    return plan["changes"], plan["next"] is not None


def _report(noun: str) -> Handler:
    async def handler(visit: Visit) -> Response:
        number, kind = visit.request.path_params["id"], visit.request.path_params["kind"]
        if kind not in report.WRITERS:
            return problem_page(404, "Not found", "A report is Markdown or CSV.")
        it = await visit.api.get(f"{noun}/{number}")
        return report.download(visit.api, it, f"{noun[:-1]}-{number}", kind)

    return handler


def times_of(visit: Visit) -> Json:
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
    *(get(f"/{noun}", _listing(noun)) for noun in _NOUNS),
    *(get(f"/{noun}/{{id}}", _shown(noun)) for noun in _NOUNS),
    *(get(f"/{noun}/{{id}}/report.{{kind}}", _report(noun)) for noun in _NOUNS),
]
