"""Where a set-up begins and goes on: sites, connections that are not live, and a new one."""

import asyncio

from starlette.responses import Response

from app.console.page import Visit, get

_SHOWN = 50


async def _begin(visit: Visit) -> Response:
    sites, connections = await asyncio.gather(
        visit.api.get("sites", limit=_SHOWN, cursor=visit.query("sites")),
        visit.api.get("connections", limit=_SHOWN, cursor=visit.query("cursor")),
    )
    rows = connections["items"]
    return visit.page(
        "setup/begin.html",
        "Set-up",
        sites=sites["items"],
        more_sites=sites["next"],
        unfinished=[it for it in rows if it["mode"] != "live"],
        live=[it for it in rows if it["mode"] == "live"],
        more=connections["next"],
    )


ROUTES = [get("/setup", _begin)]
