"""`twinlink resyncs`: comparisons, running and finished."""

import typer

from app.cli.client.api_client import service
from app.cli.commands.resync import show as show_state
from app.cli.output import output
from app.cli.output.options import Json, Limit, RowId

app = typer.Typer(help="Comparisons of both sides, running and finished.", no_args_is_help=True)

_COLUMNS: output.Columns = (
    ("ID", "id"),
    ("CONNECTION", "connection"),
    ("STATUS", "status"),
    ("ISSUES", "issues_total"),
    ("DONE", "issues_done"),
    ("CREATED", "created"),
    ("REMOVED", "removed"),
    ("HELD", "held"),
    ("FAILED", "failed"),
    ("PLAN", "plan_id"),
)


@app.command("list")
def list_(ctx: typer.Context, limit: Limit = 20, json: Json = False) -> None:
    """List resyncs, newest first."""
    found = service(ctx).listing("resyncs", limit=limit)
    output.listed(found, _COLUMNS, "no resyncs", json=json)


@app.command()
def show(ctx: typer.Context, id: RowId, json: Json = False) -> None:
    """Show a resync."""
    show_state(service(ctx).get(f"resyncs/{id}"), json=json)


@app.command()
def cancel(ctx: typer.Context, id: RowId, json: Json = False) -> None:
    """Stop a resync. What it has already written stays."""
    show_state(service(ctx).post(f"resyncs/{id}/cancel"), json=json)
