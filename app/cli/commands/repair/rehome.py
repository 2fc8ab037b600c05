"""`twinlink site rehome`: a Jira that has moved to another site, with new ids."""

from typing import Annotated, Any

import typer

from app.cli.client.api_client import Service, service
from app.cli.client.follow import looks
from app.cli.output import output
from app.cli.output.errors import CommandError
from app.cli.output.options import Json, SiteName
from app.process.exit_code import ExitCode

_COLUMNS: output.Columns = (
    ("BEFORE", "former"),
    ("NOW", "connection"),
    ("PLAN", "plan_id"),
    ("STATUS", "status"),
    ("TWINS", "twins"),
    ("LINKS", "rows"),
    ("LEFT", "left"),
)


def rehome(
    ctx: typer.Context,
    name: SiteName,
    to: Annotated[str, typer.Argument(help="Site that this Jira is now: registered and checked.")],
    *,
    connection: Annotated[
        str | None, typer.Option(help="One of the site's connections; default: all.")
    ] = None,
    json: Json = False,
) -> None:
    """Plan to carry a site's connections over to the site that it has moved to.

    Twins are found again by key; links are carried over where type, ends and author match, and the
    rest is listed. In a phased migration ask again after each phase. Nothing in Jira changes. Ends
    with 3 while plans wait for their approval by two owners.
    """
    api = service(ctx)
    body = {"to": to} | ({} if connection is None else {"connection": connection})
    made = api.post(f"sites/{name}/rehomings", body)["items"]
    try:
        found = _planned(api, name, {it["id"] for it in made})
    except (KeyboardInterrupt, CommandError):
        plans = ", ".join(it["plan_id"] for it in made)
        output.note(f"it goes on in the service: twinlink plan show {plans}")
        raise
    if json:
        output.document({"items": found})
    else:
        output.table(_COLUMNS, found, empty="")
        output.note("next: twinlink plan show PLAN, then plan approve, by two owners")
    held = any(it["status"] in {"held", "approved"} for it in found)
    raise typer.Exit(ExitCode.HELD if held else ExitCode.DONE)


def _planned(api: Service, name: str, ids: set[str]) -> list[dict[str, Any]]:
    """Each once all its links are judged."""
    with output.progress() as progress:
        task = progress.add_task("reading both sites", total=None)
        for state in looks(lambda: api.get(f"sites/{name}/rehomings")):
            found = [it for it in state["items"] if it["id"] in ids]
            progress.update(task, completed=sum(it["rows"] for it in found))
            if all(it["status"] != "gathering" for it in found):
                return found
    raise AssertionError("looks never end")
