"""`twinlink connection`: the connections between two sites."""

from typing import Annotated, Any

import typer

from app.cli.client.api_client import service
from app.cli.client.connection_config import Direction, MirrorRemoved, as_put, from_options
from app.cli.output import output
from app.cli.output.errors import UsageError
from app.cli.output.files import object_of
from app.cli.output.options import ConnectionName, Json, Limit, Yes, confirm

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
FIELDS: output.Columns = (
    ("name", "name"),
    ("left", "left"),
    ("right", "right"),
    ("direction", "direction"),
    ("link types", "link_types"),
    ("if a mirror is removed", "on_mirror_removed"),
    ("if an issue is deleted", "on_issue_deleted"),
    ("twins", "twins"),
    ("owners to approve", "approvals"),
    ("mode", "mode"),
    ("paused", "paused"),
    ("guard", "guard.state"),
    ("revision", "revision"),
)
_REVISIONS: output.Columns = (
    ("REVISION", "revision"),
    ("ACTIVE", "active"),
    ("ROLLOUT", "rollout"),
    ("BY", "author"),
    ("AT", "created_at"),
    ("NOTE", "note"),
)
_FINDINGS: output.Columns = (
    ("SIDE", "side"),
    ("SEVERITY", "severity"),
    ("FINDING", "code"),
    ("DETAIL", "detail"),
)


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
        output.document(as_put(api.get(f"connections/{name}/revisions/{active}")["config"]))
        return
    _show(api.get(f"connections/{name}"), json=json)


LinkTypes = Annotated[
    list[str] | None,
    typer.Option(metavar="TYPE", help="Blocks, or LEFT=RIGHT, or LEFT=RIGHT:reversed; repeatable."),
]
Approvals = Annotated[int, typer.Option(min=1, max=2, help="How many owners must approve a plan.")]


@app.command()
def put(
    ctx: typer.Context,
    name: ConnectionName,
    file: Annotated[
        str | None, typer.Argument(help="The configuration as JSON or TOML; `-`: stdin.")
    ] = None,
    *,
    left: Annotated[str | None, typer.Option(metavar="SITE:PROJECT,…")] = None,
    right: Annotated[str | None, typer.Option(metavar="SITE:PROJECT,…")] = None,
    direction: Annotated[Direction, typer.Option()] = Direction.BOTH,
    link_type: LinkTypes = None,
    on_mirror_removed: Annotated[MirrorRemoved, typer.Option()] = MirrorRemoved.DETACH,
    twin_field: Annotated[
        str | None, typer.Option(metavar="SIDE:FIELD", help="Take twins from a custom field.")
    ] = None,
    approvals: Approvals = 1,
    revision: Annotated[
        int | None, typer.Option(help="Refuse unless this is the current revision.")
    ] = None,
    json: Json = False,
) -> None:
    """Add a connection, which starts in shadow mode, or replace its configuration.

    Takes either FILE or options. Settings that they leave out get their defaults. The two sites of
    a connection cannot change.
    """
    api = service(ctx)
    if file is not None:
        if left or right or link_type or twin_field:
            raise UsageError("FILE holds the whole configuration: leave out the other options")
        body = object_of(file)
    else:
        body = from_options(
            left,
            right,
            direction=direction,
            link_types=link_type or [],
            on_mirror_removed=on_mirror_removed,
            twin_field=twin_field,
            approvals=approvals,
        )
    stored = api.put(f"connections/{name}", body, revision=revision)
    _show(stored, json=json)


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


def _show(connection: dict[str, Any], *, json: bool) -> None:
    if json:
        output.document(connection)
        return
    shown = connection | {"link_types": [_sentence(t) for t in connection["link_types"]]}
    output.fields(shown, FIELDS)
    if connection.get("findings"):
        output.table(_FINDINGS, connection["findings"], empty="")
    if connection.get("next_step"):
        output.note(f"next: {connection['next_step']}")


def _sentence(pair: dict[str, Any]) -> str:
    return f"{pair['left']} = {pair['right']}{' reversed' if pair['reversed'] else ''}"
