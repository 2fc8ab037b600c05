"""`twinlink failures`: what was given up after its tries."""

from typing import Annotated

import typer

from app.cli.client.api_client import service
from app.cli.output import output
from app.cli.output.options import Json, Limit, RowId

app = typer.Typer(help="Pairs that were given up after their tries.")

_COLUMNS: output.Columns = (
    ("ID", "id"),
    ("CONNECTION", "connection"),
    ("LEFT", "left.key"),
    ("RIGHT", "right.key"),
    ("REASON", "failure"),
    ("TRIES", "tries"),
    ("FAILED", "failed_at"),
)


@app.callback(invoke_without_command=True)
def failures(
    ctx: typer.Context,
    connection: Annotated[str | None, typer.Option(help="Only of this connection.")] = None,
    *,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """What was given up after its tries, and why."""
    if ctx.invoked_subcommand is None:
        found = service(ctx).listing("failures", {"connection": connection}, limit=limit)
        output.listed(found, _COLUMNS, "nothing failed", json=json)


@app.command()
def retry(ctx: typer.Context, id: RowId, json: Json = False) -> None:
    """Look at it again, with fresh tries."""
    answer = service(ctx).post(f"failures/{id}/retry")
    if json:
        output.document(answer)
    else:
        output.line(f"{id} is looked at again")
