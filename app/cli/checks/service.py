"""What `twinlink doctor` asks the API: whether it runs, and what its check of each site finds."""

from collections.abc import Iterator
from typing import Any

import httpx

from app.cli.checks.installation import Check
from app.cli.client import last_seen
from app.cli.client.api_client import Service
from app.cli.client.webhook_address import unreachable_reason
from app.cli.output.errors import CommandError
from app.settings import Settings


def above(settings: Settings, transport: httpx.BaseTransport | None) -> list[Check]:
    """The checks that need the API. An API that does not run is a warning: it may start later."""
    try:
        with Service(settings, transport=transport) as api:
            sites = list(api.every("sites"))
            connections = list(api.every("connections"))
            return [
                Check("api", "ok", api.url),
                *_sites(api, [site["name"] for site in sites]),
                *_addresses(settings, sites),
                *_deliveries(api, sites, connections),
                *_comparisons(api, connections),
                *_beginning(connections),
            ]
    except CommandError as error:
        hint = "sites were not checked; start the API with `twinlink up` or `twinlink api`"
        return [Check("api", "warn", error.message, hint, "twinlink up")]


def _beginning(connections: list[dict[str, Any]]) -> Iterator[Check]:
    if not connections:
        hint = "`twinlink init` sets one up, step by step"
        yield Check("connections", "ok", "none yet", hint, "twinlink init")


def _deliveries(
    api: Service, sites: list[dict[str, Any]], connections: list[dict[str, Any]]
) -> Iterator[Check]:
    """A site that a connection joins and that delivers nothing may have lost its webhook."""
    joined = {it[side]["site"] for it in connections for side in ("left", "right")}
    for name in (site["name"] for site in sites):
        last = last_seen.delivery(api, name)
        if last is not None:
            yield Check(f"deliveries of {name}", "ok", f"the last at {last}")
        elif name in joined:
            hint = "right if no issue changed there; else look for its webhook"
            command = f"twinlink webhooks list {name}"
            yield Check(f"deliveries of {name}", "warn", "none within 14 days", hint, command)


def _comparisons(api: Service, connections: list[dict[str, Any]]) -> Iterator[Check]:
    for name in (it["name"] for it in connections):
        last = last_seen.comparison(api, name)
        if last is not None:
            yield Check(f"comparison of {name}", "ok", f"the last ended at {last}")
        else:
            hint = "one runs every day by itself"
            yield Check(
                f"comparison of {name}", "warn", "none yet", hint, f"twinlink resync {name}"
            )


def _addresses(settings: Settings, sites: list[dict[str, Any]]) -> Iterator[Check]:
    """Sites that cannot reach us at the address that their webhooks are given."""
    address = settings.public_url or settings.api_url
    for site in sites:
        why = unreachable_reason(address, site_url=site["base_url"], deployment=site["deployment"])
        if why is not None:
            detail = f"{why}; without its webhooks, polling alone finds its changes"
            name = site["name"]
            hint = f"set TWINLINK_PUBLIC_URL, then run twinlink webhooks register {name}"
            yield Check(f"webhooks of {name}", "warn", detail, hint)


def _sites(api: Service, names: list[str]) -> Iterator[Check]:
    for name in names:
        try:
            checked = api.post(f"sites/{name}/check")
        except CommandError as error:
            yield Check(f"site {name}", "fail", error.message, "; ".join(error.details))
            continue
        findings = [f"{it['code']}: {it['detail']}" for it in checked["findings"]]
        detail = "; ".join(findings) or f"account {checked['account_id']}"
        if not checked["ok"]:
            check = f"twinlink site check {name}"
            yield Check(f"site {name}", "fail", detail, check, check)
        else:
            yield Check(f"site {name}", "warn" if findings else "ok", detail)
