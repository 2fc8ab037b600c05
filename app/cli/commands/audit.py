"""`twinlink audit`: what was written to Jira, and the proof that the record is whole."""

from typing import Annotated, Any

import typer

from app.cli.client.api_client import service
from app.cli.commands import audit_verify
from app.cli.output import output
from app.cli.output.files import STDIN, writing
from app.cli.output.options import Json, Limit

app = typer.Typer(help="The append-only record of every write.", no_args_is_help=True)
app.command("verify")(audit_verify.verify)

_COLUMNS: output.Columns = (
    ("AT", "at"),
    ("CONNECTION", "connection"),
    ("SITE", "site"),
    ("OPERATION", "operation"),
    ("STATUS", "status"),
    ("TYPE", "type"),
    ("SOURCE", "source.key"),
    ("DESTINATION", "destination.key"),
    ("LINK", "link_id"),
    ("CAUSE", "cause.kind"),
    ("INTENT", "intent_id"),
)

_Connection = Annotated[str | None, typer.Option(help="Name of a connection.")]
_Site = Annotated[str | None, typer.Option(help="Name of a site.")]
_Operation = Annotated[str | None, typer.Option(help="create, remove, adopt or release.")]
_Status = Annotated[str | None, typer.Option(help="intended, applied, noop or failed.")]
_Issue = Annotated[str | None, typer.Option(help="Key of an issue at one of the ends.")]
_Cause = Annotated[str | None, typer.Option(help="Such as webhook, poll, resync or plan.")]
_Time = Annotated[str | None, typer.Option(metavar="TIME", help="Such as 2030-01-31T12:00:00Z.")]


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    connection: _Connection = None,
    site: _Site = None,
    operation: _Operation = None,
    status: _Status = None,
    issue: _Issue = None,
    link_id: Annotated[str | None, typer.Option(help="Of one link.")] = None,
    cause: _Cause = None,
    plan: Annotated[str | None, typer.Option(help="Of one plan.")] = None,
    since: _Time = None,
    until: _Time = None,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """Rows of the audit, oldest first. An intent and its outcome are two rows."""
    asked: dict[str, Any] = {
        "connection": connection,
        "site": site,
        "operation": operation,
        "status": status,
        "issue": issue,
        "link_id": link_id,
        "cause": cause,
        "plan": plan,
        "since": since,
        "until": until,
    }
    found = service(ctx).listing("audit", asked, limit=limit)
    output.listed(found, _COLUMNS, "nothing was written yet", json=json)


@app.command()
def export(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(help="Where to; `-` is standard output.")] = STDIN,
    *,
    connection: _Connection = None,
    since: _Time = None,
    until: _Time = None,
) -> None:
    """The audit as NDJSON, one row a line, with the heads of its chains at the end.

    `audit verify` takes a whole export, of everything or of one connection; what --since or --until
    cut has no beginning or no end to hold on to.
    """
    asked = {"connection": connection, "since": since, "until": until}
    with (
        service(ctx).lines("audit/export", asked) as lines,
        writing(file) as to,
        output.progress() as progress,
    ):
        task = progress.add_task("rows", total=None)
        for line in lines:
            to.write(line + "\n")
            progress.advance(task)
