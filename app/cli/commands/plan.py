"""`twinlink plan`: writes that wait for a decision, or that a mode does not allow."""

import math
from collections import Counter
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from app.cli.client.api_client import Service, service
from app.cli.client.follow import looks
from app.cli.output import output
from app.cli.output.errors import CommandError, UsageError
from app.cli.output.options import Json, Limit, RowId, can_ask, counted
from app.core.plan import KINDS, PlanKind, PlanStatus
from app.core.removed_by import in_words
from app.core.rendering.reason_words import because
from app.process.exit_code import ExitCode

app = typer.Typer(help="Plans: the writes that would be made.", no_args_is_help=True)

_COLUMNS: output.Columns = (
    ("ID", "id"),
    ("CONNECTION", "connection"),
    ("KIND", "kind"),
    ("STATUS", "status"),
    ("CHANGES", "counts"),
    ("EXPIRES", "expires_at"),
)
_FIELDS: output.Columns = (
    ("plan", "id"),
    ("connection", "connection"),
    ("kind", "kind"),
    ("status", "status"),
    ("reason", "reason"),
    ("digest", "digest"),
    ("changes", "counts"),
    ("origins gone", "origins"),
    ("expires", "expires_at"),
    ("approved by", "approved_by"),
    ("decided by", "decided_by"),
    ("note", "note"),
)
CHANGES: output.Columns = (
    ("OPERATION", "operation"),
    ("SITE", "site"),
    ("TYPE", "type"),
    ("SOURCE", "source.key"),
    ("DESTINATION", "destination.key"),
    ("LINK", "link_id"),
    ("AUTHOR", "evidence.authorship"),
    ("ORIGIN GONE BY", "evidence.origin_removed_by"),
    ("AT", "evidence.origin_removed_at"),
    ("REASON", "why"),
    ("RESULT", "result"),
)
_PAGE = 1000
_OPEN = frozenset({"held", "approved"})
"""Plans that a person may decide; `approved` waits for a second owner."""
_UNDER_WAY = frozenset({"applying"})
_WHY = {
    "row_2": "linked on the other side",
    "row_5": "our mirror is gone",
    "row_7": "its origin is gone",
    "origin_removal_unseen": "its origin is gone, and no entry says how",
    "authorship_unknown": "its origin is gone, and its author is not known",
    "twin_field": "its twin field names another issue or none",
    "unpaired": "a person unpairs its issues",
}
"""Rows of the table of decisions (docs/how-it-decides.md), in words."""

Digest = Annotated[
    str | None,
    typer.Option(
        help="Digest of the plan that you reviewed. Without it, you see the plan and are asked."
    ),
]
Note = Annotated[str, typer.Option(help="Reason, kept with the plan.")]


class Format(StrEnum):
    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    connection: Annotated[str | None, typer.Option(help="Only of this connection.")] = None,
    status: Annotated[PlanStatus | None, typer.Option(help="Only with this status.")] = None,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """List plans, newest first."""
    asked = {"connection": connection, "status": status and status.value}
    found = service(ctx).listing("plans", asked, limit=limit)
    if not json:
        found = {**found, "items": [_in_words(it) for it in found["items"]]}
    output.listed(found, _COLUMNS, "no plans", json=json)


@app.command()
def show(
    ctx: typer.Context,
    id: RowId,
    *,
    form: Annotated[
        Format | None, typer.Option("--format", help="Default: tables for a terminal.")
    ] = None,
    json: Json = False,
) -> None:
    """Show a plan with all of its changes."""
    api = service(ctx)
    if json or form is Format.JSON:
        output.document(_whole(api, id))
    elif form is None:
        _print(_whole(api, id))
    else:
        output.line(api.text(f"plans/{id}", {"format": form.value}).rstrip("\n"))


@app.command()
def approve(
    ctx: typer.Context,
    id: RowId,
    *,
    digest: Digest = None,
    note: Note = "",
    wait: Annotated[bool, typer.Option(help="Wait until it is applied.")] = True,
    json: Json = False,
) -> None:
    """Approve a plan, so that exactly the changes shown are applied, and wait for the outcome.

    Exit code 3 if a second owner must approve it before anything is written.
    """
    api = service(ctx)
    decided = _decide(api, id, "approval", digest, note, json=json)
    if decided["status"] == "approved":
        _said(decided, json=json)
        first = decided["approved_by"]
        raise CommandError(
            f"approved by {first}; a second owner must approve it too", code=ExitCode.HELD
        )
    if wait and decided["status"] in _UNDER_WAY:
        decided = _applied(api, id)
    _said(decided, json=json)


@app.command()
def reject(
    ctx: typer.Context, id: RowId, *, digest: Digest = None, note: Note = "", json: Json = False
) -> None:
    """Reject a plan, and keep the links and pairs that it would change for good."""
    decided = _decide(service(ctx), id, "rejection", digest, note, json=json)
    _said(decided, json=json)
    if not json:
        pairs = decided["kind"] == PlanKind.UNPAIRINGS
        detached = "its links stay in Jira, detached: nothing removes them again"
        output.note("its pairs go on with their links" if pairs else detached)


@app.command()
def revoke(ctx: typer.Context, id: RowId, *, note: Note = "", json: Json = False) -> None:
    """Take back the approval of a plan: what is open of it waits for a decision again."""
    asked = f"?{urlencode({'note': note})}" if note else ""
    plan: dict[str, Any] = service(ctx).delete(f"plans/{id}/approval{asked}")
    if json:
        output.document(plan)
    else:
        output.line(f"plan {id} is {plan['status']}")


def _decide(
    api: Service, id: int, what: str, digest: str | None, note: str, *, json: bool
) -> dict[str, Any]:
    """Decide on a plan that a person has seen: the digest is an option, or we show the plan."""
    if digest is None:
        digest = _shown(api, id, what, json=json)
    decided: dict[str, Any] = api.post(f"plans/{id}/{what}", {"digest": digest, "note": note})
    return decided


def _shown(api: Service, id: int, what: str, *, json: bool) -> str:
    if json or not can_ask():
        show = f"give the digest that `twinlink plan show {id}` shows"
        raise UsageError("--digest is missing, and there is no terminal to ask", details=[show])
    plan = _whole(api, id)
    digest: str | None = plan["digest"]
    if digest is None or plan["status"] not in _OPEN:
        raise CommandError(_decided(plan))
    _print(plan)
    verb = "Reject plan" if what == "rejection" else "Approve plan"
    typer.confirm(f"{verb} {id} of {plan['connection']} ({effect(plan)})?", abort=True, err=True)
    return digest


def _decided(plan: dict[str, Any]) -> str:
    """Why there is nothing to decide."""
    said = f"plan {plan['id']} is {plan['status']}: there is nothing to decide"
    by, at = plan.get("decided_by"), plan.get("decided_at")
    return said + (f"; decided by {by}" if by else "") + (f" {output.when(at)}" if at else "")


def effect(plan: dict[str, Any]) -> str:
    """What its changes do, such as `remove 50 links on right`."""
    sums = Counter((it["operation"], it["site"]) for it in plan["changes"])
    return ", ".join(
        f"{operation} {counted(count, 'link')} on {site}"
        for (operation, site), count in sorted(sums.items())
    )


def _applied(api: Service, id: int) -> dict[str, Any]:
    """The plan once nothing of it is open, with progress until then."""
    state: dict[str, Any] = {}
    try:
        with output.progress() as progress:
            task = progress.add_task("applying", total=None)
            for state in looks(lambda: _whole(api, id)):
                done = sum(it["result"] is not None for it in state["changes"])
                progress.update(task, total=len(state["changes"]) or None, completed=done)
                if state["status"] not in _UNDER_WAY:
                    break
    except KeyboardInterrupt:
        output.note(f"plan {id} goes on in the service: twinlink plan show {id}")
        raise
    return state


def _said(plan: dict[str, Any], *, json: bool) -> None:
    if json:
        output.document(plan)
        return
    results = Counter(str(it["result"]) for it in plan.get("changes", ()) if it["result"])
    told = ", ".join(f"{count} {result}" for result, count in sorted(results.items()))
    output.line(f"plan {plan['id']} is {plan['status']}{f': {told}' if told else ''}")


def _in_words(plan: dict[str, Any]) -> dict[str, Any]:
    """What is zero is left out, and codes are sentences."""
    counts = {name: count for name, count in plan["counts"].items() if count}
    kind = KINDS.get(plan["kind"], plan["kind"])
    told = {**plan, "kind": kind, "counts": counts, "reason": because(plan.get("reason"))}
    if (origins := plan.get("origins_removed")) is not None:
        first, last = (datetime.fromisoformat(origins[it]) for it in ("first", "last"))
        seconds = math.ceil((last - first).total_seconds())
        said = in_words(origins["removals"], origins["accounts"], seconds)
        told["origins"] = f"{said}, from {origins['first']} on"
    return told


def _print(plan: dict[str, Any]) -> None:
    output.fields(_in_words(plan), _FIELDS)
    rows = [it | {"why": _WHY.get(it["reason"], it["reason"])} for it in plan["changes"]]
    output.table(CHANGES, rows, empty="no changes")


def _whole(api: Service, id: int) -> dict[str, Any]:
    path = f"plans/{id}"
    plan: dict[str, Any] = api.get(path, {"limit": _PAGE})
    while plan["next"] is not None:
        page = api.get(path, {"limit": _PAGE, "cursor": plan["next"]})
        plan["changes"] += page["changes"]
        plan["next"] = page["next"]
    return plan
