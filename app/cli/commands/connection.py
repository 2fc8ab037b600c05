"""`twinlink connection`: the connections between two sites."""

from typing import Annotated

import typer

from app.cli.client.api_client import service
from app.cli.commands.setup import connection_view
from app.cli.commands.setup.connection_put import put
from app.cli.output import output
from app.cli.output.options import ConnectionName, Json, Limit, Yes, confirm
from app.core.connection.as_sent import connection_as_sent

app = typer.Typer(help="Connections between two sites.", no_args_is_help=True)

COLUMNS: output.Columns = (
    ("NAME", "name"),
    ("LEFT", "left.site"),
    ("RIGHT", "right.site"),
    ("DIRECTION", "direction"),
    ("MODE", "mode"),
    ("PAUSED", "paused"),
    ("GUARD", "guard.state"),
    ("REVISION", "revision"),
)
_REVISIONS: output.Columns = (
    ("REVISION", "revision"),
    ("ACTIVE", "active"),
    ("ROLLOUT", "rollout"),
    ("BY", "author"),
    ("AT", "created_at"),
    ("NOTE", "note"),
)

app.command()(put)


@app.command("list")
def list_(ctx: typer.Context, limit: Limit = 100, json: Json = False) -> None:
    """List all connections."""
    found = service(ctx).listing("connections", limit=limit)
    empty = "no connections yet: twinlink connection put --help"
    output.listed(found, COLUMNS, empty, json=json)


@app.command()
def show(
    ctx: typer.Context,
    name: ConnectionName,
    config: Annotated[
        bool, typer.Option("--config", help="Print it in the form that `put` accepts, as JSON.")
    ] = False,
    json: Json = False,
) -> None:
    """Show a connection: its configuration and its state."""
    api = service(ctx)
    if config:
        active = api.get(f"connections/{name}")["revision"]
        output.document(
            connection_as_sent(api.get(f"connections/{name}/revisions/{active}")["config"])
        )
        return
    connection_view.show(api.get(f"connections/{name}"), json=json)


@app.command()
def delete(ctx: typer.Context, name: ConnectionName, yes: Yes = False, json: Json = False) -> None:
    """End a connection and release its links. No link is removed from Jira."""
    api = service(ctx)
    confirm(
        f"This ends {name} and its twins. Its links stay in Jira and are no longer managed.",
        yes=yes,
    )
    released = api.delete(f"connections/{name}")
    if json:
        output.document(released)
    else:
        output.line(f"{name} has ended; {released['released']} links were released, none removed")


@app.command()
def revisions(
    ctx: typer.Context, name: ConnectionName, limit: Limit = 100, json: Json = False
) -> None:
    """List all configurations that a connection has had, newest first."""
    found = service(ctx).listing(f"connections/{name}/revisions", limit=limit)
    empty = "no revisions"
    output.listed(found, _REVISIONS, empty, json=json)
