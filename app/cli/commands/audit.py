"""`twinlink audit`: every write to Jira, and the check that the record of them is whole."""

from typing import Annotated, Any

import typer

from app.cli.checks.audit_export import ended_early
from app.cli.client.api_client import service
from app.cli.commands import audit_verify
from app.cli.output import output
from app.cli.output.errors import CommandError
from app.cli.output.files import STDIN, writing
from app.cli.output.options import Issue, Json, Limit
from app.cli.output.times import Since, Until

app = typer.Typer(help="The append-only record of every write to Jira.", no_args_is_help=True)
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
    ("AUTHOR", "evidence.authorship"),
    ("CAUSE", "cause.kind"),
    ("INTENT", "intent_id"),
)

_Connection = Annotated[str | None, typer.Option(help="Name of a connection.")]
_Site = Annotated[str | None, typer.Option(help="Name of a site.")]
_Operation = Annotated[str | None, typer.Option(help="create, remove, adopt or release.")]
_Status = Annotated[str | None, typer.Option(help="intended, applied, noop or failed.")]
_Cause = Annotated[str | None, typer.Option(help="For example webhook, poll, resync or plan.")]


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    connection: _Connection = None,
    site: _Site = None,
    operation: _Operation = None,
    status: _Status = None,
    issue: Issue = None,
    link_id: Annotated[str | None, typer.Option(help="Id of a link.")] = None,
    cause: _Cause = None,
    plan: Annotated[str | None, typer.Option(help="Id of a plan.")] = None,
    since: Since = None,
    until: Until = None,
    newest: Annotated[bool, typer.Option("--newest", help="What happened last first.")] = False,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """List audit rows, oldest first. A write has two rows: its intent and its outcome."""
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
        "order": "desc" if newest else None,
    }
    found = service(ctx).listing("audit", asked, limit=limit)
    output.listed(found, _COLUMNS, "no writes yet", json=json)


@app.command()
def export(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="File to write; `-` is standard output.")
    ] = STDIN,
    *,
    connection: _Connection = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Export the audit as NDJSON, one row a line, with the heads of its chains at the end.

    `audit verify` needs a whole export, of everything or of one connection. It refuses one that
    --since or --until made shorter.
    """
    asked = {"connection": connection, "since": since, "until": until}
    with (
        service(ctx).lines("audit/export", asked) as lines,
        writing(file) as to,
        output.progress() as progress,
    ):
        task = progress.add_task("rows", total=None)
        last = ""
        for line in lines:
            to.write(line + "\n")
            progress.advance(task)
            last = line
    if (why := ended_early(last)) is not None:
        raise CommandError(f"the export is incomplete: {why}")
