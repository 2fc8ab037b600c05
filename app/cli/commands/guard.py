"""`twinlink guard`: what holds removals that look like an accident."""

import typer

from app.cli.client.api_client import service
from app.cli.output import output
from app.cli.output.options import ConnectionName, Json

app = typer.Typer(help="The guard of a connection.", no_args_is_help=True)

_WINDOWS: output.Columns = (
    ("WINDOW", "scope"),
    ("SECONDS", "seconds"),
    ("LIMIT", "limit"),
    ("USED", "used"),
)


@app.command()
def show(ctx: typer.Context, name: ConnectionName, json: Json = False) -> None:
    """Whether it is armed or tripped, and how full its windows are."""
    _show(service(ctx).get(f"connections/{name}")["guard"], json=json)


@app.command()
def reset(ctx: typer.Context, name: ConnectionName, json: Json = False) -> None:
    """Arm it with fresh windows. Sealed plans go on waiting for their decision."""
    _show(service(ctx).post(f"connections/{name}/guard/reset")["guard"], json=json)


def _show(guard: dict[str, object], *, json: bool) -> None:
    if json:
        output.document(guard)
        return
    reason = guard.get("reason")
    output.line(f"{guard['state']}{f': {reason}' if reason else ''}")
    windows = guard["windows"]
    output.table(_WINDOWS, windows if isinstance(windows, list) else [], empty="no windows")
