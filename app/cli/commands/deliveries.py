"""`twinlink deliveries`: the webhook deliveries of the sites."""

from typing import Annotated

import typer

from app.cli.client.api_client import service
from app.cli.output import output
from app.cli.output.options import Json, Limit

_COLUMNS: output.Columns = (
    ("ID", "id"),
    ("SITE", "site"),
    ("KIND", "kind"),
    ("RECEIVED", "received_at"),
    ("ISSUE", "issue_id"),
    ("LINK", "link_id"),
    ("LATE", "late"),
    ("DELIVERY", "delivery"),
)


def deliveries(
    ctx: typer.Context,
    site: Annotated[str | None, typer.Option(help="Only from this site.")] = None,
    *,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """List the webhook deliveries of the last 14 days, newest first. Metadata only."""
    found = service(ctx).listing("deliveries", {"site": site}, limit=limit)
    output.listed(found, _COLUMNS, "no deliveries", json=json)
