"""A connection from shadow to live: what it would do, and each mode before it is set."""

import asyncio
from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from app.console import charts
from app.console.api import Json, Refused
from app.console.faults import NONE, Faults, faults_of
from app.console.page import Visit, get, post, to
from app.console.render import many

MODES: Final = ("shadow", "create_only", "review", "live")


async def shown(
    visit: Visit,
    connection: Json,
    findings: list[Json],
    faults: Faults = NONE,
    code: int = 200,
) -> Response:
    """*findings* are of a configuration that was stored just now; *faults* of a mode refused."""
    name = connection["name"]
    outlook, resyncs, *sites = await asyncio.gather(
        visit.api.get(f"connections/{name}/outlook"),
        visit.api.get("resyncs", connection=name, limit=1),
        *(visit.api.get(f"sites/{connection[side]['site']}") for side in ("left", "right")),
    )
    return visit.page(
        "setup/connection.html",
        f"Set-up of {name}",
        code=code,
        it=connection,
        findings=findings,
        stored=visit.request.method == "POST" and not faults,
        faults=faults,
        sites=sites,
        outlook=outlook,
        picture=charts.shadow(connection, outlook["planned"]),
        latest=next(iter(resyncs["items"]), None),
        ladder=ladder(connection, outlook),
        ready=all(it["account_dedicated"] and it["checked_at"] for it in sites),
    )


def ladder(connection: Json, outlook: Json) -> list[Json]:
    """Each mode, where it is from the present one, and what it does."""
    at = MODES.index(connection["mode"])
    words = _effects(connection, outlook)
    return [
        {
            "mode": mode,
            "place": "now" if step == at else "next" if step == at + 1 else "",
            "below": step < at,
            "effect": words[mode],
        }
        for step, mode in enumerate(MODES)
    ]


def _effects(connection: Json, outlook: Json) -> Mapping[str, str]:
    shadow = connection["mode"] == "shadow"
    limits = {it["scope"]: it["limit"] for it in connection["guard"]["windows"]}
    creates = f"Makes {many(outlook['creates'], 'link')} at once, and " if shadow else ""
    removes = f": {outlook['removes']} now" if shadow else ""
    review = "Also holds every removal until a person has approved it"
    within = f"at most {limits.get('hour', 0)} an hour and {limits.get('day', 0)} a day"
    return {
        "shadow": "Plans, and writes nothing.",
        "create_only": f"{creates}{'m' if creates else 'M'}irrors each link that people"
        " make from then on. Removes none.",
        "review": f"{review}{removes}.",
        "live": f"Also removes a mirror once its origin is proven gone: {within}. What is more, or"
        " looks like an accident, is held for a person.",
    }


async def _connection(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    return await shown(visit, await visit.api.get(f"connections/{name}"), [])


async def _mode(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    try:
        await visit.api.put(f"connections/{name}/mode", {"mode": visit.said("mode")})
    except Refused as refused:
        faults = faults_of(refused, lambda _pointer: None)
        connection = await visit.api.get(f"connections/{name}")
        return await shown(visit, connection, [], faults, refused.status)
    return to(f"/setup/connections/{name}", done="mode")


async def _compare(visit: Visit) -> Response:
    """A look at all twins. Above shadow it only shows what it would change."""
    name = visit.request.path_params["name"]
    connection = await visit.api.get(f"connections/{name}")
    dry = connection["mode"] != "shadow"
    made = await visit.api.post(f"connections/{name}/resyncs", {"dry_run": dry})
    if dry:
        return to(f"/resyncs/{made['id']}", done="resync")
    return to(f"/setup/connections/{name}", done="resync")


ROUTES = [
    get("/setup/connections/{name}", _connection),
    post("/setup/connections/{name}/mode", _mode),
    post("/setup/connections/{name}/compare", _compare),
]
