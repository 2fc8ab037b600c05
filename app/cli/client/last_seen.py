"""When a site last delivered something, and when a connection was last compared as a whole."""

from collections.abc import Mapping
from typing import Any

from app.cli.client.api_client import Params, Service

_LOOKED_AT = 20
"""Comparisons, newest first. Dry runs among them repair nothing."""


def delivery(api: Service, site: str) -> str | None:
    """None: nothing within the 14 days for which deliveries are kept."""
    found = api.get("deliveries", {"site": site, "limit": 1})["items"]
    return str(found[0]["received_at"]) if found else None


def comparison(api: Service, connection: str) -> str | None:
    asked: Params = {"connection": connection, "status": "succeeded", "limit": _LOOKED_AT}
    for it in api.get("resyncs", asked)["items"]:
        if not it["dry_run"]:
            return str(it["finished_at"])
    return None


def by_site(api: Service, connection: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Each site, or those of one connection, with its last delivery."""
    if connection is None:
        names = [str(site["name"]) for site in api.every("sites")]
    else:
        names = [str(connection[side]["site"]) for side in ("left", "right")]
    return [{"site": name, "last_delivery_at": delivery(api, name)} for name in names]
