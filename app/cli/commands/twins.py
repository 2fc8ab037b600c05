"""`twinlink twins`: which issues are the same work on both sites."""

import csv
import json as json_
from typing import Annotated

import typer

from app.cli.client.api_client import service
from app.cli.client.twins_csv import import_rows
from app.cli.output import output
from app.cli.output.errors import CommandError
from app.cli.output.files import STDIN, reading, writing
from app.cli.output.options import ConnectionName, Issue, Json, Limit, Yes, confirm
from app.core.connection.twin_rows import Report, issue_key
from app.core.rendering.foreign_text import in_csv
from app.process.exit_code import ExitCode

app = typer.Typer(help="Twins: which issues are the same work on both sites.", no_args_is_help=True)

_COLUMNS: output.Columns = (
    ("ID", "id"),
    ("LEFT", "left"),
    ("RIGHT", "right"),
    ("STATUS", "status"),
    ("SOURCE", "source"),
    ("SUSPENDED", "suspended"),
)
_Status = Annotated[
    str | None, typer.Option(help="paired, or the reason why a claim is not paired.")
]


@app.command("list")
def list_(
    ctx: typer.Context,
    name: ConnectionName,
    *,
    issue: Issue = None,
    status: _Status = None,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """List the twins of a connection."""
    asked = {"issue": issue, "status": status}
    found = service(ctx).listing(f"connections/{name}/twins", asked, limit=limit)
    empty = "no twins: twinlink twins import --help"
    output.listed(found, _COLUMNS, empty, json=json)


@app.command("import")
def import_(
    ctx: typer.Context,
    name: ConnectionName,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="CSV of two columns, left and right key; `-`: stdin."),
    ],
    json: Json = False,
) -> None:
    """Pair issues by their keys, and report the rows that cannot be paired.

    Columns are apart by commas, semicolons or tabs. Importing the same file
    again changes nothing. Exit code 1 if a row was not paired.
    """
    api = service(ctx)
    report = Report(say=output.note if not json else lambda _text: None)
    try:
        with reading(file) as rows, output.progress() as progress:
            task = progress.add_task("pairing", total=_lines_of(file))
            import_rows(api, name, rows, report, lambda done: progress.update(task, completed=done))
    except KeyboardInterrupt:
        output.note(f"so far: {report.summary()}; importing the file again does no harm")
        raise
    if json:
        output.document(report.plain())
    else:
        output.line(report.summary())
    if not report.whole:
        raise typer.Exit(ExitCode.FAILED)


def _lines_of(file: str) -> int | None:
    """How many lines a file has; None for standard input, which is read once."""
    if file == STDIN:
        return None
    with reading(file) as lines:
        return sum(1 for line in lines if line.strip())


@app.command()
def export(
    ctx: typer.Context,
    name: ConnectionName,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="File to write; `-` is standard output.")
    ] = STDIN,
    json: Annotated[bool, typer.Option("--json", help="One JSON document per line.")] = False,
) -> None:
    """Export all twins as CSV, in the form that `import` accepts."""
    twins = service(ctx).every(f"connections/{name}/twins")
    with writing(file) as to:
        writer = csv.writer(to, lineterminator="\n")
        if not json:
            writer.writerow(("left", "right"))
        for twin in twins:
            if json:
                to.write(json_.dumps(twin) + "\n")
            else:
                writer.writerow((in_csv(twin["left"]), in_csv(twin["right"])))


@app.command()
def remove(
    ctx: typer.Context,
    name: ConnectionName,
    twin: Annotated[
        str, typer.Argument(metavar="TWIN", help="A twin's id, or the key of one of its issues.")
    ],
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Unpair two issues and release their links. No link is removed from Jira.

    Exit code 3 if an approver must decide: more links are let go than the guard allows.
    """
    api, path = service(ctx), f"connections/{name}/twins"
    if not twin.isdecimal():
        twin = issue_key(twin)
        found = api.get(path, {"issue": twin})["items"]
        if len(found) != 1:
            if not found:
                raise CommandError(f"{twin} has no twin in {name}")
            raise CommandError(f"{twin} has {len(found)} twins in {name}; give its id")
        twin = found[0]["id"]
    confirm(
        f"This ends twin {twin}. Its links stay in Jira and are no longer managed.",
        yes=yes,
    )
    ended = api.delete(f"{path}/{twin}")
    if json:
        output.document(ended)
    if ended.get("plan_id") is not None:
        raise CommandError(
            f"{ended['held']} links of twin {twin} are more than may be let go within an hour or a"
            f" day: an approver decides (twinlink plan show {ended['plan_id']})",
            code=ExitCode.HELD,
        )
    if not json:
        output.line(f"twin {twin} has ended; {ended['released']} links were released, none removed")
