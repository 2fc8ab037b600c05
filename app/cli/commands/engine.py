"""`twinlink engine`: versions of the service, and what they would decide otherwise."""

from typing import Annotated, Any

import typer

from app.cli.client.api_client import service
from app.cli.output import output
from app.cli.output.options import Json, Yes, confirm

app = typer.Typer(
    help="Versions of Twinlink, and what they decide otherwise than those before them.",
    no_args_is_help=True,
)

_COLUMNS: output.Columns = (
    ("ENGINE", "engine"),
    ("SEEN", "seen_at"),
    ("VERDICT", "verdict"),
    ("COMPARED", "compared"),
    ("DIFFER", "differ"),
    ("ACCEPTED BY", "accepted_by"),
    ("DIGEST", "digest"),
)


@app.command("list")
def list_(ctx: typer.Context, json: Json = False) -> None:
    """List the versions that have worked here. One that differs writes nothing until accepted."""
    found: dict[str, Any] = service(ctx).get("engines")
    if not json:
        for it in found["items"]:
            it["differ"] = sum(one["count"] for one in it["differences"])
    output.listed(found, _COLUMNS, "no worker has begun here", json=json)


@app.command()
def accept(
    ctx: typer.Context,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Such as 0.1.0.")],
    *,
    digest: Annotated[
        str, typer.Option(help="Of the differences that you have reviewed: `engine list` has it.")
    ],
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Let a version write although it decides otherwise than those before it."""
    name = version.removeprefix("twinlink/")
    confirm(
        f"Workers of {name} will then change links by rules that differ.",
        f"Accept version {name}?",
        yes=yes,
    )
    found: dict[str, Any] = service(ctx).post(f"engines/{name}/accept", {"digest": digest})
    if json:
        output.document(found)
    else:
        output.line(f"{found['engine']} is {found['verdict']}; its workers begin within seconds")
