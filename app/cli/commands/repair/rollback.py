"""`twinlink rollback`: back to an earlier configuration, at once."""

from typing import Annotated

import typer

from app.cli.client.api_client import service
from app.cli.output import output
from app.cli.output.options import ConnectionName, Json


def rollback(
    ctx: typer.Context,
    name: ConnectionName,
    *,
    to: Annotated[int, typer.Option(min=1, help="The revision to go back to.")],
    undo: Annotated[
        bool, typer.Option("--undo", help="Also plan to take back what was done since.")
    ] = False,
    note: Annotated[str, typer.Option(help="Why; it is kept with the revision.")] = "",
    json: Json = False,
) -> None:
    """Work by an earlier configuration again. The mode stays as it is.

    Nothing is removed or made by this alone: an undo is a plan that waits for its approval.
    """
    body = {"revision": to, "undo": undo, "note": note}
    done = service(ctx).post(f"connections/{name}/rollback", body)
    if json:
        output.document(done)
        return
    output.line(f"{name} works by revision {done['revision']}, which is equal to revision {to}")
    if done["plan_id"] is not None:
        output.note(f"next: twinlink plan show {done['plan_id']}, then approve it")
    elif undo:
        output.note("nothing was done since that could be undone")
