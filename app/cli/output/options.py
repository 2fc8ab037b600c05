"""Options that many commands share, and the confirmation before a command deletes something."""

import re
import sys
from typing import Annotated

import typer

from app.cli.output.errors import UsageError
from app.core.connection.twin_rows import issue_key

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def _name(text: str | None) -> str | None:
    """A valid name: it becomes part of a URL, so an invalid one is refused here."""
    if text is not None and not _NAME.fullmatch(text):
        raise typer.BadParameter("lower-case letters, digits, _ and - only, 63 at most")
    return text


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Limit = Annotated[int, typer.Option(min=1, help="Maximum number of rows.")]
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*-[0-9]+")


def _key(text: str | None) -> str | None:
    if text is None:
        return None
    if not _KEY.fullmatch(text.strip()):
        raise typer.BadParameter(f"{text!r} is no key of an issue, such as OPS-7")
    return issue_key(text)


def _keys(texts: list[str] | None) -> list[str] | None:
    return None if texts is None else [key for text in texts if (key := _key(text))]


Issue = Annotated[
    str | None, typer.Option(metavar="KEY", help="Key of an issue of either side.", callback=_key)
]
Issues = Annotated[
    list[str] | None,
    typer.Option(
        "--issue",
        metavar="KEY",
        help="Only this issue, of either side; repeatable.",
        callback=_keys,
    ),
]
IssueKey = Annotated[
    str, typer.Argument(metavar="KEY", help="Key of an issue of either side.", callback=_key)
]
ConnectionName = Annotated[
    str, typer.Argument(metavar="CONNECTION", help="Name of a connection.", callback=_name)
]
AnyConnection = Annotated[
    str | None, typer.Argument(metavar="CONNECTION", help="Name of a connection.", callback=_name)
]
SiteName = Annotated[str, typer.Argument(metavar="SITE", help="Name of a site.", callback=_name)]

RowId = Annotated[int, typer.Argument(metavar="ID", min=1)]


def can_ask() -> bool:
    """Whether a person can answer: standard input is a terminal."""
    return sys.stdin.isatty()


def confirm(effect: str, question: str = "Go on?", *, yes: bool) -> None:
    """Print the effect and ask for confirmation. Without a terminal, `--yes` is required."""
    if yes:
        return
    if not can_ask():
        raise UsageError(effect, details=["there is no terminal to ask; confirm with --yes"])
    typer.echo(effect, err=True)
    typer.confirm(question, abort=True, err=True)


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
