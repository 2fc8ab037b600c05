"""`twinlink connection put`: add a connection, or change what the options name."""

from typing import Annotated, Any

import typer

from app.cli.client import difference
from app.cli.client.api_client import Service, service
from app.cli.client.connection_config import (
    BY_HAND,
    Current,
    Direction,
    IssueDeleted,
    MirrorRemoved,
    current,
    from_options,
    refuse_incomplete,
)
from app.cli.commands.setup.connection_view import show
from app.cli.output.errors import UsageError
from app.cli.output.files import object_of
from app.cli.output.options import ConnectionName, Json, Yes, confirm

WRITING = ("create_only", "review", "live")

LinkTypes = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TYPE",
        help="Blocks, or LEFT=RIGHT, or LEFT=RIGHT:reversed; repeatable. Replaces the whole map.",
    ),
]
Approvals = Annotated[
    int | None, typer.Option(min=1, max=2, help="How many owners must approve a plan.")
]
Ends = Annotated[str | None, typer.Option(metavar="SITE:PROJECT,…")]
TwinField = Annotated[
    str | None,
    typer.Option(metavar="SIDE:FIELD", help=f"Take twins from a custom field; {BY_HAND}: do not."),
]
Revision = Annotated[int | None, typer.Option(help="Refuse unless this is the current revision.")]


def put(
    ctx: typer.Context,
    name: ConnectionName,
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="The configuration as JSON or TOML; `-`: stdin."),
    ] = None,
    *,
    left: Ends = None,
    right: Ends = None,
    direction: Annotated[Direction | None, typer.Option(help="Needed once, for a new one.")] = None,
    link_type: LinkTypes = None,
    on_mirror_removed: Annotated[MirrorRemoved | None, typer.Option()] = None,
    on_issue_deleted: Annotated[IssueDeleted | None, typer.Option()] = None,
    twin_field: TwinField = None,
    approvals: Approvals = None,
    revision: Revision = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Add a connection, which starts in shadow mode, or change an existing one.

    What neither FILE nor an option names is kept. The difference is shown first; a connection that
    writes asks before it changes. The two sites of a connection cannot change.
    """
    named = from_options(
        left,
        right,
        direction=direction,
        link_types=link_type or [],
        on_mirror_removed=on_mirror_removed,
        on_issue_deleted=on_issue_deleted,
        twin_field=twin_field,
        approvals=approvals,
    )
    if file is not None and named:
        raise UsageError("give either FILE or options")
    if file is None and not named:
        raise UsageError("give FILE, or options that say what to change")
    api = service(ctx)
    stored = stored_after(api, name, object_of(file) if file else named, revision, yes=yes)
    show(stored, json=json)


def stored_after(
    api: Service, name: str, named: dict[str, Any], revision: int | None, *, yes: bool
) -> dict[str, Any]:
    """Store what is *named*, and of an existing connection what is not; what the API answered.

    A connection that writes is changed only after a person, or *yes*, agreed to the difference."""
    known = current(api, name)
    if known is None:
        refuse_incomplete(named)
        body = named
    else:
        body = known.config | named
        _agree(api, name, known, body, yes=yes)
        revision = known.revision if revision is None else revision
    stored: dict[str, Any] = api.put(f"connections/{name}", body, revision=revision)
    return stored


def _agree(api: Service, name: str, known: Current, body: dict[str, Any], *, yes: bool) -> None:
    found = difference.preview(api, name, body)
    difference.say(name, found)
    if not found["changes"] or known.mode not in WRITING:
        return
    effects = "; ".join(difference.effects(found)) or "no link is suspended"
    confirm(f"{name} is in mode {known.mode}: {effects}.", f"Change {name}?", yes=yes)
