"""`twinlink up`: everything on one machine, in one process tree."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.cli.output.options import Json
from app.settings import load_settings


def up(
    *,
    host: Annotated[str | None, typer.Option(help="Instead of TWINLINK_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Instead of TWINLINK_PORT; 0: a free port.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Instead of TWINLINK_DATA_DIR.")] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Add two sandbox sites with example data; keep nothing.")
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="With --demo: exit after the last step.")
    ] = False,
    drill: Annotated[
        bool,
        typer.Option(
            "--drill", help="Replay the deletion incident on sandbox sites; keep nothing."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Run everything on this machine: PostgreSQL, Valkey, migrations, the API and a worker.

    Servers that the settings name replace the embedded ones. The first start makes an
    administrator's token, a secret key and an installation id, and keeps them in the data
    directory. Ctrl-C stops everything in order, a second Ctrl-C at once.
    """
    if once and not demo:
        raise typer.BadParameter("only together with --demo", param_hint="--once")
    if drill and demo:
        raise typer.BadParameter("not together with --demo", param_hint="--drill")
    settings = load_settings()
    chosen = {"host": host, "data_dir": data_dir and data_dir.absolute(), "log_format": None}
    if "log_format" not in settings.model_fields_set and sys.stderr.isatty():
        chosen["log_format"] = "console"
    settings = settings.model_copy(update={k: v for k, v in chosen.items() if v is not None})
    from app.cli.local import up as local_up  # noqa: PLC0415 - slow, and no other command needs it

    if demo:
        raise typer.Exit(asyncio.run(local_up.demo(settings, port, once=once, json=json)))
    if drill:
        raise typer.Exit(asyncio.run(local_up.drill(settings, port, json=json)))
    at = settings.port if port is None else port
    raise typer.Exit(asyncio.run(local_up.service(settings, at, json=json)))
