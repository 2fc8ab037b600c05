"""`twinlink status`: the state of the connections."""

import threading
from contextlib import suppress
from typing import Annotated, Any

import typer

from app.cli.client import last_seen
from app.cli.client.api_client import Service, service
from app.cli.output import output
from app.cli.output.errors import CommandError, UsageError
from app.cli.output.options import AnyConnection, Json, counted

_QUIET = ("backlog", "in_flight", "delayed", "resyncs")
_INCIDENTS = 20
_EVERY_SECONDS = 2.0
_COLUMNS: output.Columns = (
    ("NAME", "name"),
    ("MODE", "mode"),
    ("PAUSED", "paused"),
    ("GUARD", "guard"),
    ("QUIET", "quiet"),
    ("BACKLOG", "backlog"),
    ("IN FLIGHT", "in_flight"),
    ("WAITING", "waiting"),
    ("HELD", "held"),
    ("FAILED", "failed"),
    ("DISMISSED", "dismissed"),
    ("UNCONFIRMED", "unconfirmed"),
    ("OLDEST", "oldest"),
    ("COMPARED", "last_comparison_at"),
    ("SUSPENDED", "suspended"),
    ("ORPHANED", "orphaned"),
    ("DETACHED", "detached"),
    ("RELEASED", "released"),
)
_SITES: output.Columns = (("SITE", "site"), ("LAST DELIVERY", "last_delivery_at"))


def status(
    ctx: typer.Context,
    name: AnyConnection = None,
    json: Json = False,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again every two seconds, until Ctrl-C.")
    ] = False,
) -> None:
    """Show the state of the connections: what waits, what is held, what failed.

    Quiet means that nothing is due, under way or delayed, and that no resync runs. Suspended,
    orphaned, detached and released count links that nothing is done about. Compared is when the
    last comparison of all twins ended.
    """
    if watch and json:
        raise UsageError("--watch shows a table again and again; ask with --json in your own loop")
    api = service(ctx)
    if not watch:
        _show(api, name, json=json)
        return
    with suppress(KeyboardInterrupt):
        while True:
            output.clear()
            _show(api, name, json=False)
            threading.Event().wait(_EVERY_SECONDS)


def _show(api: Service, name: str | None, *, json: bool) -> None:
    one = None if name is None else api.get(f"connections/{name}")
    rows = [_row(api, it) for it in (api.every("connections") if one is None else [one])]
    sites = last_seen.by_site(api, one)
    workers = _workers(api)
    asked = {"state": "open", "connection": name}
    incidents = api.listing("incidents", asked, limit=_INCIDENTS)["items"]
    if json:
        output.document({"items": rows, "sites": sites, "incidents": incidents, "workers": workers})
        return
    output.table(_COLUMNS, rows, empty="no connections yet: twinlink connection put --help")
    if sites:
        output.line("")
        output.table(_SITES, sites, empty="")
    if workers is not None:
        alive = [it for it in workers if it["alive"]]
        hosts = ", ".join(sorted({it["host"] for it in alive}))
        none = "no worker runs: what is due waits; start one with twinlink worker"
        output.note(
            f"{counted(len(alive), 'worker')} {'runs' if len(alive) == 1 else 'run'}, on {hosts}"
            if alive
            else none
        )
    for it in incidents:
        output.note(f"incident {it['id']}, {it['impact']}: {it['title']} ({it['state']})")
        output.note(f"  twinlink incident show {it['id']}")


def _workers(api: Service) -> list[dict[str, Any]] | None:
    """None for a token that is confined to connections: workers belong to all of them."""
    try:
        return list(api.every("workers"))
    except CommandError:
        return None


def _row(api: Service, connection: dict[str, Any]) -> dict[str, Any]:
    now = api.get(f"connections/{connection['name']}/status")
    state = {field: connection[field] for field in ("name", "mode", "paused")}
    quiet = not any(now[field] for field in _QUIET)
    oldest = output.seconds(now["oldest_seconds"])
    guard = connection["guard"]["state"]
    compared = last_seen.comparison(api, connection["name"])
    said = {"guard": guard, "quiet": quiet, "oldest": oldest, "last_comparison_at": compared}
    return {**state, **said, **now}
