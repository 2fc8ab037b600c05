"""`twinlink secrets`: the key that encrypts the credentials of sites."""

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
    help="The key that encrypts the credentials of sites. Run it where the service runs: it needs "
    "TWINLINK_DATABASE_URL and TWINLINK_SECRET_KEY (set by itself where `twinlink up` runs).",
    no_args_is_help=True,
)


@app.callback()
def _noun() -> None:
    """Keeps `rotate` a command of its own though it is the only one."""


@app.command()
def rotate(json: Json = False) -> None:
    """Encrypt every secret again with the first key of TWINLINK_SECRET_KEY.

    It also binds the secrets of earlier versions to their sites, where no process has done so yet.
    Put the new key first in the list, restart every process, run this. After exit code 0 you may
    drop the old key. Running it again, or after an interruption, does no harm.
    """
    done = asyncio.run(_rotated())
    if json:
        output.document(asdict(done) | {"complete": done.complete})
    else:
        output.line(f"{done.rotated} encrypted again, {done.current} already had the newest key")
        if done.bound:
            output.line(f"{done.bound} bound to their sites for the first time")
        if done.forgotten:
            output.line(f"{done.forgotten} replaced webhook secrets deleted after their last day")
        if done.complete:
            output.note("the newest key decrypts every secret: you may drop the others")
    for lost in done.unreadable:
        output.note(f"{lost.site}: no key of TWINLINK_SECRET_KEY can decrypt its {lost.secret}")
    for odd in done.unusable:
        output.note(f"{odd.site}: its {odd.secret} was sealed for another place ({odd.code})")
    if not done.complete:
        output.note("nothing is lost: add the missing key, or set these secrets again")
    if done.unusable:
        output.note(
            "somebody may have moved them in the database: store the address and the secrets again:"
            " twinlink site put NAME --base-url URL --token-file FILE --webhook-secret-file FILE"
        )
    if done.unreadable or done.unusable:
        raise typer.Exit(ExitCode.FAILED)


async def _rotated() -> "Rotation":
    from app.sync.sites.rotation import rotate as rotate_all  # noqa: PLC0415 - slow, and others speak REST
    from app.wiring import open_services  # noqa: PLC0415

    async with open_services(client_settings()) as services:
        return await rotate_all(services.database, services.vault, services.clock)
