"""What happened and what goes on: the audit, deliveries, failures, resyncs, open writes."""

from collections.abc import Mapping

from starlette.responses import Response

from app.console.page import Handler, Visit, get, post, to

_FILTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "audit": (
        "Audit",
        ("connection", "site", "operation", "status", "issue", "link_id", "cause", "plan"),
    ),
    "deliveries": ("Deliveries", ("site", "kind")),
    "failures": ("Failures", ("connection",)),
    "resyncs": ("Comparisons", ("connection", "status")),
    "intents": ("Open writes", ("status",)),
}

_MORE: Mapping[str, tuple[str, ...]] = {"failures": ("dismissed",)}
"""Filters that a page offers as links."""


def _listing(noun: str) -> Handler:
    title, names = _FILTERS[noun]

    async def handler(visit: Visit) -> Response:
        asked = visit.part(*names, *_MORE.get(noun, ()), "cursor")
        found = await visit.api.get(noun, limit=100, **asked)
        return visit.page(f"{noun}.html", title, found=found, asked=asked, filters=names)

    return handler


async def _resync(visit: Visit) -> Response:
    number = visit.request.path_params["id"]
    it = await visit.api.get(f"resyncs/{number}")
    return visit.page("resync.html", f"Comparison {number}", it=it)


async def _cancel(visit: Visit) -> Response:
    number = visit.request.path_params["id"]
    await visit.api.post(f"resyncs/{number}/cancel")
    return to(f"/resyncs/{number}", done="made")


async def _retry(visit: Visit) -> Response:
    await visit.api.post(f"failures/{visit.request.path_params['id']}/retry")
    return to("/failures", done="retried")


async def _dismiss(visit: Visit) -> Response:
    number = visit.request.path_params["id"]
    await visit.api.post(f"failures/{number}/dismissal", {"reason": visit.form.get("reason", "")})
    return to("/failures", done="dismissed")


ROUTES = [
    *(get(f"/{noun}", _listing(noun)) for noun in _FILTERS),
    get("/resyncs/{id}", _resync),
    post("/resyncs/{id}/cancel", _cancel),
    post("/failures/{id}/retry", _retry),
    post("/failures/{id}/dismiss", _dismiss),
]
