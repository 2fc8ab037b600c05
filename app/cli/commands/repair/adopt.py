"""`twinlink adopt`: take over links that another sync product's account made."""

import sys
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
    ("its links that are pairs", "paired"),
    ("its links that are none", "unpaired"),
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
    confirm_account: Annotated[
        str | None,
        typer.Option(
            help="The account once more: adopt it although it also wrote links that are no pairs."
        ),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the plan is ready.")] = True,
    json: Json = False,
) -> None:
    """Plan to manage the link pairs of which an account wrote exactly one side.

    That side becomes the mirror. Nothing in Jira changes; afterwards both are kept in step. Ends
    with 3 while the plan waits for its approval by two owners.
    """
    api = service(ctx)
    body = {"account_id": account, "since": since, "until": until}
    if confirm_account is not None:
        body["confirm_account"] = confirm_account
    path = f"connections/{name}/adoptions"
    state = api.post(path, body)
    if wait:
        state = _followed(api, path, state)
    if state["status"] == "refused" and sys.stdin.isatty():
        _say_refused(account, state)
        body["confirm_account"] = typer.prompt("The account id, to adopt it all the same", err=True)
        state = _followed(api, path, api.post(path, body))
    if json:
        output.document(state)
    elif wait:
        output.fields(state, _FIELDS)
    else:
        output.line(f"adoption {state['id']} is being planned; its plan is {state['plan_id']}")
    if wait:
        _say_next(account, state)
        raise typer.Exit(_ENDS.get(state["status"], ExitCode.FAILED))


def _say_next(account: str, state: dict[str, Any]) -> None:
    if state["status"] == "refused":
        _say_refused(account, state)
        output.note("if it is a product's all the same, repeat it with --confirm-account")
    if state["status"] == "held":
        output.note(f"next: twinlink plan show {state['plan_id']}, then plan approve")


def _say_refused(account: str, state: dict[str, Any]) -> None:
    output.note(
        f"{account} wrote {state['unpaired']} links on these issues that are no pairs of a mirror"
        f" and its origin, beside {state['paired']} that are: a person's account does so"
    )


def _followed(api: Service, path: str, made: dict[str, Any]) -> dict[str, Any]:
    try:
        return _planned(api, f"{path}/{made['id']}")
    except (KeyboardInterrupt, CommandError):
        output.note(f"it goes on in the service: twinlink plan show {made['plan_id']}")
        raise


def _planned(api: Service, path: str) -> dict[str, Any]:
    """Its first state after all pairs are judged."""
    with output.progress() as progress:
        task = progress.add_task("reading changelogs", total=None)
        for state in looks(lambda: api.get(path)):
            progress.update(task, completed=state["pairs"])
            if state["status"] != "planning":
                return state
    raise AssertionError("looks never end")
