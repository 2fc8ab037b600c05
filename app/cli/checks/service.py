"""What `twinlink doctor` asks the API: whether it runs, and what its check of each site finds."""

from collections.abc import Iterator

import httpx

from app.cli.checks.installation import Check
from app.cli.client.api_client import Service
from app.cli.output.errors import CommandError
from app.settings import Settings


def above(settings: Settings, transport: httpx.BaseTransport | None) -> list[Check]:
    """The checks that need the API. An API that does not run is a warning: it may start later."""
    try:
        with Service(settings, transport=transport) as api:
            sites = list(api.every("sites"))
            return [Check("api", "ok", api.url), *_sites(api, [site["name"] for site in sites])]
    except CommandError as error:
        hint = "sites were not checked; start the API with `twinlink up` or `twinlink api`"
        return [Check("api", "warn", error.message, hint)]


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
            yield Check(f"site {name}", "fail", detail, f"twinlink site check {name}")
        else:
            yield Check(f"site {name}", "warn" if findings else "ok", detail)
