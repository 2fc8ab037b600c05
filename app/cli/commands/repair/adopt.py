"""`twinlink adopt`: take over links that another sync product's account made."""

from typing import Annotated, Any

import typer

from app.cli.client.api_client import Service, service
from app.cli.client.follow import looks
from app.cli.output import output, times
from app.cli.output.errors import CommandError
from app.cli.output.options import ConnectionName, Json
from app.process.exit_code import ExitCode

_FIELDS: output.Columns = (
    ("adoption", "id"),
    ("connection", "connection"),
    ("status", "status"),
    ("pairs", "pairs"),
    ("adoptable", "adoptable"),
    ("adopted", "adopted"),
    ("skipped", "skipped"),
    ("failed", "failed"),
    ("plan", "plan_id"),
)
_ENDS = {"succeeded": ExitCode.DONE, "held": ExitCode.HELD, "applying": ExitCode.HELD}


def adopt(
    ctx: typer.Context,
    name: ConnectionName,
    *,
    account: Annotated[
        str, typer.Option(help="Author of the links: account id on Cloud, user key on Data Center.")
    ],
    since: Annotated[str, times.since("From this time")],
    until: Annotated[str, times.since("Before this time")],
    wait: Annotated[bool, typer.Option(help="Wait until the plan is ready.")] = True,
    json: Json = False,
) -> None:
    """Plan to manage the link pairs of which an account wrote exactly one side.

    That side becomes the mirror. Nothing in Jira changes; afterwards both are kept in step. Ends
    with 3 while the plan waits for its approval by two owners.
    """
    api = service(ctx)
    body = {"account_id": account, "since": since, "until": until}
    state = api.post(f"connections/{name}/adoptions", body)
    if wait:
        try:
            state = _planned(api, f"connections/{name}/adoptions/{state['id']}")
        except (KeyboardInterrupt, CommandError):
            output.note(f"it goes on in the service: twinlink plan show {state['plan_id']}")
            raise
    if json:
        output.document(state)
    elif wait:
        output.fields(state, _FIELDS)
    else:
        output.line(f"adoption {state['id']} is being planned; its plan is {state['plan_id']}")
    if not wait:
        return
    if state["status"] == "held":
        output.note(f"next: twinlink plan show {state['plan_id']}, then plan approve")
    raise typer.Exit(_ENDS.get(state["status"], ExitCode.FAILED))


def _planned(api: Service, path: str) -> dict[str, Any]:
    """Its first state after all pairs are judged."""
    with output.progress() as progress:
        task = progress.add_task("reading changelogs", total=None)
        for state in looks(lambda: api.get(path)):
            progress.update(task, completed=state["pairs"])
            if state["status"] != "planning":
                return state
    raise AssertionError("looks never end")
