"""Answers go to standard output, all other messages to standard error."""

import json as json_
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from app.cli.output.errors import CommandError

_PIPE_WIDTH = 10_000
"""Width without a terminal: wide enough that nothing is cut off or folded."""

Columns = Sequence[tuple[str, str]]
"""Heading of a column, and the dotted path of its value in a row."""


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def line(text: str) -> None:
    """One line of an answer."""
    print(_clean(text))  # noqa: T201 - this is the command line


def note(text: str) -> None:
    """A message for people that is not part of the answer."""
    print(_clean(text), file=sys.stderr, flush=True)  # noqa: T201


def document(value: Any) -> None:
    """Print the single JSON document of `--json`."""
    line(json_.dumps(value, indent=2, ensure_ascii=False))


def table(columns: Columns, rows: Iterable[Mapping[str, Any]], *, empty: str) -> None:
    """Print a table. Without rows, `empty` goes to standard error."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for heading, _ in columns:
        grid.add_column(heading, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell(pick(row, path))) for _, path in columns))
    if grid.row_count:
        _console(stderr=False).print(grid)
    else:
        note(empty)


def listed(found: Mapping[str, Any], columns: Columns, empty: str, *, json: bool) -> None:
    """Print a list of the API, as JSON or as a table."""
    if json:
        document(found)
        return
    table(columns, found["items"], empty=empty)
    if found["next"] is not None:
        note("there are more: raise --limit to see them")


def fields(row: Mapping[str, Any], columns: Columns) -> None:
    """Print one object, a line per value."""
    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for heading, path in columns:
        grid.add_row(heading, Text(cell(pick(row, path))))
    _console(stderr=False).print(grid)


def progress() -> Progress:
    """A progress bar on standard error, or nothing if that is not a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=_console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def complain(error: CommandError) -> None:
    note(f"twinlink: {error.message}")
    for detail in error.details:
        note(f"  {detail}")


def pick(row: Mapping[str, Any], path: str) -> Any:
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def cell(value: Any) -> str:
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(cell(item) for item in value) or "-"
        case dict():
            return ", ".join(f"{name} {cell(item)}" for name, item in value.items()) or "-"
        case _:
            return _clean(str(value))


def _clean(text: str) -> str:
    """Replace control characters: text from Jira must not control the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
