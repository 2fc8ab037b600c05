"""`twinlink plan`: what would be written, or waits for a decision."""

from typing import Annotated

import typer

from app.cli import output
from app.cli.options import Json, Limit, RowId
from app.cli.service import service

app = typer.Typer(help="Plans: what would be written.", no_args_is_help=True)

_COLUMNS: output.Columns = (
    ("ID", "id"),
    ("CONNECTION", "connection"),
    ("KIND", "kind"),
    ("STATUS", "status"),
    ("CHANGES", "counts"),
    ("EXPIRES", "expires_at"),
)
_FIELDS: output.Columns = (
    ("plan", "id"),
    ("connection", "connection"),
    ("kind", "kind"),
    ("status", "status"),
    ("reason", "reason"),
    ("digest", "digest"),
    ("changes", "counts"),
    ("expires", "expires_at"),
)
CHANGES: output.Columns = (
    ("OPERATION", "operation"),
    ("SITE", "site"),
    ("TYPE", "type"),
    ("SOURCE", "source.key"),
    ("DESTINATION", "destination.key"),
    ("LINK", "link_id"),
    ("REASON", "reason"),
    ("RESULT", "result"),
)
_PAGE = 1000


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    connection: Annotated[str | None, typer.Option(help="Only of this connection.")] = None,
    status: Annotated[str | None, typer.Option(help="Such as held, shadow or applied.")] = None,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """Plans, newest first."""
    asked = {"connection": connection, "status": status}
    output.listed(
        service(ctx).listing("plans", asked, limit=limit), _COLUMNS, "no plans", json=json
    )


@app.command()
def show(ctx: typer.Context, id: RowId, json: Json = False) -> None:
    """One plan with all of its changes."""
    api, path = service(ctx), f"plans/{id}"
    plan = api.get(path, {"limit": _PAGE})
    while plan["next"] is not None:
        page = api.get(path, {"limit": _PAGE, "cursor": plan["next"]})
        plan["changes"] += page["changes"]
        plan["next"] = page["next"]
    if json:
        output.document(plan)
    else:
        output.fields(plan, _FIELDS)
        output.table(CHANGES, plan["changes"], empty="no changes")
