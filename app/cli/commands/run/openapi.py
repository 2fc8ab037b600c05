"""`twinlink openapi`: the description of the REST API."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import output
from app.cli.output.errors import CommandError
from app.settings import load_settings

_COMMITTED = Path("openapi/openapi.json")


def openapi(
    check: Annotated[
        bool, typer.Option("--check", help="Compare with FILE instead; 1 if they differ.")
    ] = False,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The committed document, for --check.")
    ] = _COMMITTED,
) -> None:
    """Print the OpenAPI document of this version. Needs neither a database nor a service."""
    from app.api.routing.openapi import text  # noqa: PLC0415 - slow, and no other command needs them
    from app.main import create_app  # noqa: PLC0415

    document = text(create_app(load_settings()))
    if not check:
        sys.stdout.write(document)
        return
    try:
        committed = file.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}") from None
    if committed != document:
        raise CommandError(f"{file} is out of date", details=["`make openapi` updates it"])
    output.note(f"{file} is up to date")
