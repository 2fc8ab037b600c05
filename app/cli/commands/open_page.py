"""`twinlink open`: where the console shows a thing."""

import re
from typing import Annotated

import typer

from app.cli.client.api_client import service
from app.cli.output import output
from app.cli.output.errors import UsageError
from app.cli.output.options import Json

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*-[0-9]+")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LISTS = ("plan", "incident", "restore", "rescue", "resync")
_PAGES = ("audit", "deliveries", "failures", "recover", "setup", "sites", "tokens", "status")


def open(  # noqa: A001 - the command's name
    ctx: typer.Context,
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="WHAT", help="An issue's key, a connection, a page, or `plan`, `incident`, …"
        ),
    ] = None,
    number: Annotated[
        int | None, typer.Argument(metavar="ID", min=1, help="Of the plan, the incident, …")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Print the console's address for an issue, a connection, a plan, an incident or a page.

    `twinlink open OPS-7`, `twinlink open plan 7`, `twinlink open audit`; without anything the
    overview's.
    """
    api = service(ctx)
    if number is not None and what not in _LISTS:
        raise UsageError(f"{what} has no number; only {', '.join(_LISTS)} have")
    url = f"{api.url}{_path(what, number)}"
    if json:
        output.document({"url": url})
    else:
        output.line(url)


def _path(what: str | None, number: int | None) -> str:
    if what is None:
        return "/"
    if what in _LISTS:
        return f"/{what}s" if number is None else f"/{what}s/{number}"
    if what in _PAGES:
        return f"/{what}"
    if _NAME.fullmatch(what) and not _KEY.fullmatch(what):
        return f"/connections/{what}"
    if _KEY.fullmatch(what):
        return f"/explore?issue={what.upper()}"
    raise UsageError(f"{what!r} is no key of an issue, no name of a connection and no page")
