"""`twinlink restore`: put back links that Twinlink removed, or undo those that it made."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from app.cli.client.api_client import Service, service
from app.cli.client.follow import events
from app.cli.output import output
from app.cli.output.errors import CommandError, UsageError
from app.cli.output.options import Issues, Json
from app.cli.output.times import Since, Until
from app.process.exit_code import ExitCode

FIELDS: output.Columns = (
    ("restore", "id"),
    ("kind", "kind"),
    ("status", "status"),
    ("links", "links"),
    ("restorable", "restorable"),
    ("restored", "restored"),
    ("verified", "verified"),
    ("skipped", "skipped"),
    ("failed", "failed"),
    ("held", "held"),
    ("unread", "unread"),
    ("detail", "detail"),
    ("plan", "plan_id"),
)
OVER = frozenset({"succeeded", "partial", "rejected", "expired", "failed"})
Apply = Annotated[
    bool, typer.Option("--apply", help="Approve the plan once it is ready, and apply it.")
]
Again = Annotated[
    bool, typer.Option("--again", help="Also links that came back since and were removed again.")
]
Wait = Annotated[
    bool, typer.Option(help="Wait until the plan is ready, or with --apply until it is applied.")
]


def restore(
    ctx: typer.Context,
    *,
    connection: Annotated[str | None, typer.Option(help="Writes of this connection.")] = None,
    site: Annotated[str | None, typer.Option(help="Writes on this site.")] = None,
    since: Since = None,
    until: Until = None,
    revision: Annotated[
        int | None, typer.Option(min=1, help="Writes under this revision of the connection.")
    ] = None,
    plan: Annotated[int | None, typer.Option(min=1, help="Writes of this plan.")] = None,
    engine: Annotated[str | None, typer.Option(help="Writes of this version of Twinlink.")] = None,
    cause: Annotated[str | None, typer.Option(help="Kind of cause, or kind:id.")] = None,
    issue: Issues = None,
    link_id: Annotated[list[int] | None, typer.Option(help="Id of a link; repeatable.")] = None,
    undo_creates: Annotated[
        bool, typer.Option("--undo-creates", help="Remove the links made, under the guard.")
    ] = False,
    again: Again = False,
    apply: Apply = False,
    wait: Wait = True,
    json: Json = False,
) -> None:
    """Plan to put back links that Twinlink removed. Nothing is written before approval.

    A write must match all filters. Exit code 3 while the plan waits for approval.
    """
    asked: dict[str, Any] = {
        "connection": connection,
        "site": site,
        "since": since,
        "until": until,
        "revision": revision,
        "plan": None if plan is None else str(plan),
        "engine": engine,
        "cause": cause,
        "issues": issue or None,
        "link_ids": [str(it) for it in link_id] if link_id else None,
    }
    body = {name: value for name, value in asked.items() if value is not None}
    if not body:
        raise UsageError("name at least one filter", details=["twinlink restore --help"])
    body |= {"again": True} if again else {}
    body["operation"] = "create" if undo_creates else "remove"
    carry_out(service(ctx), "restores", body, apply=apply, wait=wait, json=json)


def carry_out(
    api: Service, where: str, body: dict[str, Any], *, apply: bool, wait: bool, json: bool
) -> None:
    """Make the plan and wait for it; with *apply*, approve it and follow it to its end."""
    if apply and not wait:
        raise UsageError("--apply cannot be used with --no-wait: it approves the finished plan")
    made = api.post(where, body)
    path = f"{where}/{made['id']}"
    if not wait:
        _told(made, json=json)
        return
    try:
        state = follow(api, path, lambda it: it["status"] != "planning", "planning")
        if apply and state["status"] == "held":
            approve(api, state["plan_id"])
            state = follow(api, path, lambda it: it["status"] in OVER, "applying")
    except (KeyboardInterrupt, CommandError):
        output.note(f"it goes on in the service: twinlink restores show {made['id']}")
        raise
    show(state, json=json)
    raise typer.Exit(exit_code(state))


def follow(
    api: Service, path: str, is_over: Callable[[dict[str, Any]], bool], what: str
) -> dict[str, Any]:
    """Its last state, with progress until then."""
    state: dict[str, Any] = {}
    with output.progress() as progress:
        task = progress.add_task(what, total=None)
        for state in events(api, path, is_over):
            done = sum(state[name] for name in ("restored", "skipped", "failed", "held"))
            progress.update(task, total=state["links"] or None, completed=done)
    return state


def show(state: dict[str, Any], *, json: bool) -> None:
    if json:
        output.document(state)
        return
    output.fields(state, FIELDS)
    if state["status"] == "held":
        output.note(f"next: twinlink plan approve {state['plan_id']}")
    elif state["held"]:
        output.note("next: twinlink plan list --status held")


def exit_code(state: dict[str, Any]) -> ExitCode:
    if state["status"] in ("planning", "held", "applying") or state["held"]:
        return ExitCode.HELD
    return ExitCode.DONE if state["status"] == "succeeded" else ExitCode.FAILED


def approve(api: Service, plan_id: str) -> None:
    """Approve by digest, so that the service refuses a plan that has changed since."""
    plan = api.get(f"plans/{plan_id}", {"limit": 1})
    body = {"digest": plan["digest"], "note": "approved by --apply"}
    decided = api.post(f"plans/{plan_id}/approval", body)
    if decided["status"] == "approved":
        first = decided["approved_by"]
        raise CommandError(
            f"approved by {first}; a second owner must approve it too", code=ExitCode.HELD
        )


def _told(made: dict[str, Any], *, json: bool) -> None:
    if json:
        output.document(made)
    else:
        output.line(f"{made['id']} is {made['status']}; its plan is {made['plan_id']}")
