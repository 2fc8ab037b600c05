"""`twinlink rescue`: put back links that another tool removed, from Jira's changelogs."""

from typing import Annotated

import typer

from app.cli.client.api_client import service
from app.cli.commands.repair.restore import Apply, Wait, carry_out
from app.cli.output import times
from app.cli.output.options import Json, SiteName


def rescue(
    ctx: typer.Context,
    site: SiteName,
    *,
    account: Annotated[
        str,
        typer.Option(help="Who removed the links: account id on Cloud, user key on Data Center."),
    ],
    since: Annotated[str, times.since("From this time")],
    until: Annotated[str, times.since("Before this time")],
    apply: Apply = False,
    wait: Wait = True,
    json: Json = False,
) -> None:
    """Plan to put back the links that an account removed on a site within a time window.

    Reads the projects of the site's connections. Exit code 3 while the plan waits for approval.
    """
    body = {"site": site, "account_id": account, "since": since, "until": until}
    carry_out(service(ctx), "rescues", body, apply=apply, wait=wait, json=json)
