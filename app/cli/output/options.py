"""Options that many commands share, and the question before something is taken away."""

import re
import sys
from typing import Annotated

import typer

from app.cli.output.errors import UsageError

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def _name(text: str | None) -> str | None:
    """A name becomes part of an address: only what can be one leaves the machine."""
    if text is not None and not _NAME.fullmatch(text):
        raise typer.BadParameter("lower-case letters, digits, _ and - only, 63 at most")
    return text


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Limit = Annotated[int, typer.Option(min=1, help="Rows at most.")]
ConnectionName = Annotated[
    str, typer.Argument(metavar="CONNECTION", help="Name of a connection.", callback=_name)
]
AnyConnection = Annotated[
    str | None, typer.Argument(metavar="CONNECTION", help="Name of one.", callback=_name)
]
SiteName = Annotated[str, typer.Argument(metavar="SITE", help="Name of a site.", callback=_name)]

RowId = Annotated[int, typer.Argument(metavar="ID", min=1)]


def can_ask() -> bool:
    """Whether there is somebody to answer."""
    return sys.stdin.isatty()


def confirm(effect: str, *, yes: bool) -> None:
    """Say what will happen and ask. Where nobody can be asked, `--yes` has to be there."""
    if yes:
        return
    if not can_ask():
        raise UsageError(effect, details=["nobody can be asked here; say it with --yes"])
    typer.echo(effect, err=True)
    typer.confirm("Go on?", abort=True, err=True)
