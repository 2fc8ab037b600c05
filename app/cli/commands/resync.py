"""`twinlink resync`: compare both sides now."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from app.cli.client.api_client import Service, service
from app.cli.client.follow import events
from app.cli.output import output
from app.cli.output.errors import CommandError
from app.cli.output.options import ConnectionName, Issues, Json
from app.process.exit_code import ExitCode

FIELDS: output.Columns = (
    ("resync", "id"),
    ("status", "status"),
    ("issues", "issues_total"),
    ("done", "issues_done"),
    ("created", "created"),
    ("removed", "removed"),
    ("held", "held"),
    ("skipped", "skipped"),
    ("failed", "failed"),
    ("plan", "plan_id"),
)
DRY: output.Columns = tuple(
    ({"created": "would create", "removed": "would remove"}.get(heading, heading), path)
    for heading, path in FIELDS
)
"""Of a dry run, which writes nothing."""
_ENDS = {
    "succeeded": ExitCode.DONE,
    "held": ExitCode.HELD,
    "failed": ExitCode.FAILED,
    "cancelled": ExitCode.FAILED,
}


def resync(
    ctx: typer.Context,
    name: ConnectionName,
    *,
    issue: Issues = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; make a plan of what would be written.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until it is over.")] = True,
    json: Json = False,
) -> None:
    """Compare the twins of a connection and bring their links in step.

    Exit code 3 if changes are held for a person's decision.
    """
    api = service(ctx)
    body: dict[str, Any] = {"dry_run": dry_run}
    if issue:
        body["issues"] = issue
    state = api.post(f"connections/{name}/resyncs", body)
    if wait:
        try:
            state = follow(api, state["id"])
        except (KeyboardInterrupt, CommandError):
            output.note(
                f"resync {state['id']} goes on in the service: twinlink resyncs show {state['id']}"
            )
            raise
        show(state, json=json)
        raise typer.Exit(_ENDS[state["status"]])
    if json:
        output.document(state)
    else:
        output.line(f"resync {state['id']} is {state['status']}")


def follow(api: Service, resync_id: str) -> dict[str, Any]:
    """Its last state, with progress until then."""
    state: dict[str, Any] = {}
    with output.progress() as progress:
        task = progress.add_task("comparing", total=None)
        for state in _states(api, resync_id):
            total = state.get("issues_total") or None
            progress.update(task, total=total, completed=state.get("issues_done") or 0)
    return state


def show(state: dict[str, Any], *, json: bool) -> None:
    if json:
        output.document(state)
        return
    output.fields(state, DRY if state.get("dry_run") else FIELDS)
    if state.get("plan_id"):
        output.note(f"next: twinlink plan show {state['plan_id']}")


def _states(api: Service, resync_id: str) -> Iterator[dict[str, Any]]:
    return events(api, f"resyncs/{resync_id}", lambda state: state["status"] in _ENDS)
