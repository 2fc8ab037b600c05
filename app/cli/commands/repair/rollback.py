"""`twinlink rollback`: return to an earlier configuration at once."""

from typing import Annotated

import typer

from app.cli.client.api_client import service
from app.cli.output import output
from app.cli.output.options import ConnectionName, Json


def rollback(
    ctx: typer.Context,
    name: ConnectionName,
    *,
    to: Annotated[int, typer.Option(min=1, help="The revision to return to.")],
    undo: Annotated[
        bool, typer.Option("--undo", help="Also plan to undo the writes made since.")
    ] = False,
    note: Annotated[str, typer.Option(help="Reason, kept with the revision.")] = "",
    json: Json = False,
) -> None:
    """Return to an earlier configuration. The mode does not change.

    This alone makes and removes no link. With --undo there is a plan, which waits for approval.
    """
    body = {"revision": to, "undo": undo, "note": note}
    done = service(ctx).post(f"connections/{name}/rollback", body)
    if json:
        output.document(done)
        return
    output.line(f"{name} is now at revision {done['revision']}, which is equal to revision {to}")
    if done["plan_id"] is not None:
        output.note(f"next: twinlink plan show {done['plan_id']}, then approve it")
    elif undo:
        output.note("there are no writes since then to undo")
