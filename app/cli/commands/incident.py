"""`twinlink incident`: what is wrong, what is known about it, and what to do next."""

from typing import Annotated, Any

import typer

from app.cli.client.api_client import service
from app.cli.output import output
from app.cli.output.options import Json, Limit, RowId

app = typer.Typer(help="What is or was wrong, and what to do next.", no_args_is_help=True)

_COLUMNS: output.Columns = (
    ("ID", "id"),
    ("IMPACT", "impact"),
    ("STATE", "state"),
    ("WHAT", "title"),
    ("CONNECTION", "connection"),
    ("SITE", "site"),
    ("OPENED", "opened_at"),
    ("LAST SEEN", "last_seen_at"),
)
_FIELDS: output.Columns = (
    ("incident", "id"),
    ("what", "title"),
    ("impact", "impact"),
    ("state", "state"),
    ("connections", "connections"),
    ("site", "site"),
    ("opened", "opened_at"),
    ("last seen", "last_seen_at"),
    ("quiet since", "quiet_since"),
    ("resolved", "resolved_at"),
    ("resolved by", "resolved_by"),
    ("issues", "issues"),
    ("public as", "public"),
)
_TIMELINE: output.Columns = (
    ("AT", "at"),
    ("TIMES", "times"),
    ("BY", "author"),
    ("STATE", "state"),
    ("IMPACT", "impact"),
    ("TEXT", "text"),
)
_State = Annotated[
    str | None, typer.Option(help="investigating, identified, monitoring or resolved.")
]


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    connection: Annotated[str | None, typer.Option(help="Only of this connection.")] = None,
    state: Annotated[
        str | None, typer.Option(help="A state, or `open` for all but resolved.")
    ] = None,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """List incidents, newest first."""
    asked = {"connection": connection, "state": state}
    found = service(ctx).listing("incidents", asked, limit=limit)
    output.listed(found, _COLUMNS, "no incidents", json=json)


@app.command()
def show(ctx: typer.Context, id: RowId, json: Json = False) -> None:
    """Show an incident, its timeline, and the commands that resolve it."""
    _show(service(ctx).get(f"incidents/{id}"), json=json)


@app.command()
def update(
    ctx: typer.Context,
    id: RowId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Text of the update.")],
    *,
    state: _State = None,
    impact: Annotated[str | None, typer.Option(help="none, minor, major or critical.")] = None,
    json: Json = False,
) -> None:
    """Add an update to the timeline. Resolving an incident also acknowledges it."""
    said = {"text": text, "state": state, "impact": impact}
    body = {name: value for name, value in said.items() if value is not None}
    _show(service(ctx).post(f"incidents/{id}/updates", body), json=json)


@app.command()
def publish(
    ctx: typer.Context,
    id: RowId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="For strangers: no names, no keys.")],
    *,
    impact: Annotated[str, typer.Option(help="none, minor, major or critical.")],
    title: Annotated[str | None, typer.Option(help="At first that of its kind.")] = None,
    component: Annotated[str | None, typer.Option(help="deliveries, links or removals.")] = None,
    json: Json = False,
) -> None:
    """Show an incident on the public status page, or add a text to what it shows of it."""
    said = {"impact": impact, "text": text, "title": title, "component": component}
    body = {name: value for name, value in said.items() if value is not None}
    _show(service(ctx).put(f"incidents/{id}/publication", body), json=json)


@app.command()
def withdraw(ctx: typer.Context, id: RowId, json: Json = False) -> None:
    """Take an incident off the public status page."""
    _show(service(ctx).delete(f"incidents/{id}/publication"), json=json)


def _show(found: dict[str, Any], *, json: bool) -> None:
    if json:
        output.document(found)
        return
    published = found["publication"]
    output.fields({**found, "public": published["title"] if published else None}, _FIELDS)
    output.table(_TIMELINE, found["timeline"], empty="no updates yet")
    for call in found["calls"]:
        output.line(f"to {call['purpose']}:")
        output.command(call["command"])
