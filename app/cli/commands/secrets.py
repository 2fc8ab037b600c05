"""`twinlink secrets`: the key that the credentials of sites are sealed with."""

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from app.cli.client.data_dir import client_settings
from app.cli.output import output
from app.cli.output.options import Json
from app.process.exit_code import ExitCode

if TYPE_CHECKING:
    from app.sync.sites.rotation import Rotation

app = typer.Typer(
    help="The key that the credentials of sites are sealed with. Runs beside the service: needs "
    "TWINLINK_DATABASE_URL and TWINLINK_SECRET_KEY (found by itself where `twinlink up` runs).",
    no_args_is_help=True,
)


@app.callback()
def _noun() -> None:
    """Keeps `rotate` a command of its own though it is the only one."""


@app.command()
def rotate(json: Json = False) -> None:
    """Seal every secret anew with the first key of TWINLINK_SECRET_KEY.

    Put the new key first in the list, restart every process, run this; once it ends with 0 the
    former key may go. Running it again, or after an interruption, does no harm.
    """
    done = asyncio.run(_rotated())
    if json:
        output.document(asdict(done) | {"complete": done.complete})
    else:
        output.line(f"{done.rotated} sealed anew, {done.current} were under the newest key already")
        if done.forgotten:
            output.line(f"{done.forgotten} replaced webhook secrets forgotten, their day was over")
        if done.complete:
            output.note("the newest key opens everything: the others may go")
    for lost in done.unreadable:
        output.note(f"{lost.site}: no key of TWINLINK_SECRET_KEY opens its {lost.secret}")
    if not done.complete:
        output.note("nothing was lost: add the key that is missing, or store those secrets again")
        raise typer.Exit(ExitCode.FAILED)


async def _rotated() -> "Rotation":
    from app.sync.sites.rotation import rotate as anew  # noqa: PLC0415 - slow, and others speak REST
    from app.wiring import open_services  # noqa: PLC0415

    async with open_services(client_settings()) as services:
        return await anew(services.database, services.vault, services.clock)
