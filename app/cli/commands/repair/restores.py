"""`twinlink restores`: restores, undos and rescues, and their progress."""

from typing import Annotated

import typer

from app.cli.client.api_client import service
from app.cli.commands.repair.restore import OVER, exit_code, follow
from app.cli.commands.repair.restore import show as show_state
from app.cli.output import output
from app.cli.output.options import Json, Limit, RowId

app = typer.Typer(help="Restores and rescues, running and finished.", no_args_is_help=True)

_COLUMNS: output.Columns = (
    ("ID", "id"),
    ("KIND", "kind"),
    ("CONNECTION", "connection"),
    ("STATUS", "status"),
    ("LINKS", "links"),
    ("RESTORED", "restored"),
    ("SKIPPED", "skipped"),
    ("FAILED", "failed"),
    ("PLAN", "plan_id"),
)
Rescues = Annotated[bool, typer.Option("--rescues", help="Rescues instead of restores.")]


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    connection: Annotated[str | None, typer.Option(help="Only of this connection.")] = None,
    rescues: Rescues = False,
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """List restores, newest first."""
    found = service(ctx).listing(_where(rescues), {"connection": connection}, limit=limit)
    output.listed(found, _COLUMNS, "none", json=json)


@app.command()
def show(ctx: typer.Context, id: RowId, *, rescues: Rescues = False, json: Json = False) -> None:
    """Show the current state of one."""
    show_state(service(ctx).get(f"{_where(rescues)}/{id}"), json=json)


@app.command("follow")
def follow_(ctx: typer.Context, id: RowId, *, rescues: Rescues = False, json: Json = False) -> None:
    """Follow one to its end and show its progress."""
    path = f"{_where(rescues)}/{id}"
    state = follow(service(ctx), path, lambda it: it["status"] in OVER, "applying")
    show_state(state, json=json)
    raise typer.Exit(exit_code(state))


def _where(rescues: bool) -> str:
    return "rescues" if rescues else "restores"
