"""`twinlink guard`: the guard holds removals that look like an accident."""

import typer

from app.cli.client.api_client import service
from app.cli.output import output
from app.cli.output.options import ConnectionName, Json, Yes, can_ask, confirm, counted

app = typer.Typer(
    help="The guard, which holds removals that look like an accident.", no_args_is_help=True
)

_WINDOWS: output.Columns = (("COUNTS", "counts"), ("LIMIT", "limit"), ("USED", "used"))
_COUNTS = {
    "hour": "removals within an hour",
    "day": "removals within a day",
    "left_site_hour": "removals on left by all connections, an hour",
    "right_site_hour": "removals on right by all connections, an hour",
    "unpaired_hour": "links let go with their pairs, an hour",
    "unpaired_day": "links let go with their pairs, a day",
}


@app.command()
def show(ctx: typer.Context, name: ConnectionName, json: Json = False) -> None:
    """Show whether it is armed or tripped, how full its windows are, and who last reset it."""
    _show(name, service(ctx).get(f"connections/{name}")["guard"], json=json)


@app.command()
def reset(ctx: typer.Context, name: ConnectionName, yes: Yes = False, json: Json = False) -> None:
    """Arm it again with empty windows, at most three times a day.

    It judges the removals that it held again. Their plans end, sealed ones too.
    """
    api = service(ctx)
    held = api.get(f"connections/{name}/status")["held"]
    confirm(
        f"This judges {counted(held, 'held removal')} of {name} again, under fresh windows.",
        f"Reset the guard of {name}?",
        yes=yes or not can_ask(),
    )
    _show(name, api.post(f"connections/{name}/guard/reset")["guard"], json=json)


def _show(name: str, guard: dict[str, object], *, json: bool) -> None:
    if json:
        output.document(guard)
        return
    reason = guard.get("reason")
    output.line(f"the guard of {name} is {guard['state']}{f': {reason}' if reason else ''}")
    resets = guard.get("resets")
    if isinstance(resets, dict):
        output.line(_resets(resets))
    windows = guard["windows"]
    rows = windows if isinstance(windows, list) else []
    shown = [it | {"counts": _COUNTS.get(it["scope"], it["scope"])} for it in rows]
    output.table(_WINDOWS, shown, empty="no windows")


def _resets(resets: dict[str, object]) -> str:
    said = f"{resets['used']} of {resets['limit']} resets used within a day"
    if resets["last_at"] is not None:
        said += f"; the last by {resets['last_by']} {output.when(str(resets['last_at']))}"
    if resets["next_at"] is not None:
        said += f"; the next is possible {output.when(str(resets['next_at']))}"
    return said
