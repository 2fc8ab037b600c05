"""`twinlink failures`: twins that failed after all tries."""

from typing import Annotated

import typer

from app.cli.client.api_client import service
from app.cli.output import output
from app.cli.output.options import Json, Limit, RowId

app = typer.Typer(help="Twins that could not be brought in step after all tries.")

_COLUMNS: output.Columns = (
    ("ID", "id"),
    ("CONNECTION", "connection"),
    ("LEFT", "left.key"),
    ("RIGHT", "right.key"),
    ("REASON", "failure"),
    ("TRIES", "tries"),
    ("FAILED", "failed_at"),
)

_DISMISSED: output.Columns = (
    *_COLUMNS[:5],
    ("DISMISSED BY", "dismissal.by"),
    ("WHY", "dismissal.reason"),
)


@app.callback(invoke_without_command=True)
def failures(
    ctx: typer.Context,
    connection: Annotated[str | None, typer.Option(help="Only of this connection.")] = None,
    *,
    dismissed: Annotated[bool, typer.Option(help="Those that were dismissed.")] = False,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """List the twins that failed after all tries, and why."""
    if ctx.invoked_subcommand is None:
        asked = {"connection": connection, "dismissed": "true" if dismissed else None}
        found = service(ctx).listing("failures", asked, limit=limit)
        columns = _DISMISSED if dismissed else _COLUMNS
        output.listed(found, columns, "nothing failed", json=json)


@app.command()
def retry(ctx: typer.Context, id: RowId, json: Json = False) -> None:
    """Try a failed twin again, with the full number of tries."""
    answer = service(ctx).post(f"failures/{id}/retry")
    if json:
        output.document(answer)
    else:
        output.line(f"{id} is looked at again")


@app.command()
def dismiss(
    ctx: typer.Context,
    id: RowId,
    reason: Annotated[str, typer.Option(help="Why it needs nothing more; kept and shown.")],
    json: Json = False,
) -> None:
    """Show it no longer, until the pair fails for another cause."""
    answer = service(ctx).post(f"failures/{id}/dismissal", {"reason": reason})
    if json:
        output.document(answer)
    else:
        output.line(f"{id} is dismissed until it fails for another cause")
