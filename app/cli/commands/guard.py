"""`twinlink guard`: the guard holds removals that look like an accident."""

import typer

from app.cli.client.api_client import service
from app.cli.output import output
from app.cli.output.options import ConnectionName, Json

app = typer.Typer(
    help="The guard, which holds removals that look like an accident.", no_args_is_help=True
)

_WINDOWS: output.Columns = (
    ("WINDOW", "scope"),
    ("SECONDS", "seconds"),
    ("LIMIT", "limit"),
    ("USED", "used"),
)


@app.command()
def show(ctx: typer.Context, name: ConnectionName, json: Json = False) -> None:
    """Show whether it is armed or tripped, how full its windows are, and who last reset it."""
    _show(service(ctx).get(f"connections/{name}")["guard"], json=json)


@app.command()
def reset(ctx: typer.Context, name: ConnectionName, json: Json = False) -> None:
    """Arm it again with empty windows, at most three times a day.

    It judges the removals that it held again. Their plans end, sealed ones too.
    """
    _show(service(ctx).post(f"connections/{name}/guard/reset")["guard"], json=json)


def _show(guard: dict[str, object], *, json: bool) -> None:
    if json:
        output.document(guard)
        return
    reason = guard.get("reason")
    output.line(f"{guard['state']}{f': {reason}' if reason else ''}")
    resets = guard.get("resets")
    if isinstance(resets, dict):
        output.line(_resets(resets))
    windows = guard["windows"]
    output.table(_WINDOWS, windows if isinstance(windows, list) else [], empty="no windows")


def _resets(resets: dict[str, object]) -> str:
    said = f"{resets['used']} of {resets['limit']} resets used within a day"
    if resets["last_at"] is not None:
        said += f"; the last by {resets['last_by']} at {resets['last_at']}"
    if resets["next_at"] is not None:
        said += f"; the next is possible at {resets['next_at']}"
    return said
