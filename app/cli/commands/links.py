"""`twinlink links`: the links in the ledger."""

from enum import StrEnum
from typing import Annotated

import typer

from app.cli.client.api_client import Service, service
from app.cli.output import output
from app.cli.output.closest import did_you_mean
from app.cli.output.errors import CommandError
from app.cli.output.options import ConnectionName, Issue, Json, Limit

_COLUMNS: output.Columns = (
    ("ID", "id"),
    ("STATE", "state"),
    ("ORIGIN", "origin"),
    ("AUTHOR", "authorship"),
    ("TYPE", "left.type"),
    ("LEFT FROM", "left.source.key"),
    ("LEFT TO", "left.destination.key"),
    ("RIGHT FROM", "right.source.key"),
    ("RIGHT TO", "right.destination.key"),
)


class State(StrEnum):
    MANAGED = "managed"
    PREEXISTING = "preexisting"
    DETACHED = "detached"
    SUSPENDED = "suspended"
    RELEASED = "released"
    ORPHANED = "orphaned"
    UNCONFIRMED = "unconfirmed"


def links(
    ctx: typer.Context,
    name: ConnectionName,
    *,
    state: Annotated[State | None, typer.Option()] = None,
    issue: Issue = None,
    type: Annotated[str | None, typer.Option(help="Name or id of a link type.")] = None,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """List the links that a connection keeps in step, or knows and leaves alone."""
    asked = {"state": state and state.value, "issue": issue, "type": type}
    api = service(ctx)
    found = api.listing(f"connections/{name}/links", asked, limit=limit)
    if type is not None and not found["items"]:
        _refuse_unknown(api, name, type)
    output.listed(found, _COLUMNS, "no links", json=json)


def _refuse_unknown(api: Service, name: str, said: str) -> None:
    """Of no link, the type may be mistyped."""
    pairs = api.get(f"connections/{name}")["link_types"]
    names = sorted({str(pair[side]) for pair in pairs for side in ("left", "right")})
    if said.isdecimal() or said.casefold() in (it.casefold() for it in names):
        return
    meant = did_you_mean(said, names)
    raise CommandError(
        f"{name} has no link of the type {said!r}{meant and f'; {meant}'}",
        details=[f"it maps: {', '.join(names)}"],
    )
