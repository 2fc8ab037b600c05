"""Answers go to standard output, all other messages to standard error."""

import json as json_
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from app.cli.output import layout
from app.cli.output.errors import CommandError
from app.cli.output.layout import Grid

_PIPE_WIDTH = 10_000
"""Width without a terminal: wide enough that nothing is cut off or folded."""

Columns = Sequence[tuple[str, str]]
"""Heading of a column, and the dotted path of its value in a row."""


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def line(text: str) -> None:
    """One line of an answer; a narrow terminal breaks it between words."""
    for part in _fitted(text, sys.stdout):
        print(part)  # noqa: T201 - this is the command line


def command(text: str) -> None:
    """A command to copy: whole, however narrow the terminal is."""
    print(f"  {_clean(text)}")  # noqa: T201


def is_read() -> bool:
    """Whether a person reads the answer: it goes to a terminal."""
    return sys.stdout.isatty()


def clear() -> None:
    """An empty screen; nothing where the answer goes into a file or a pipe."""
    if sys.stdout.isatty():
        _console(stderr=False).clear()


def note(text: str) -> None:
    """A message for people that is not part of the answer."""
    for part in _fitted(text, sys.stderr):
        print(part, file=sys.stderr, flush=True)  # noqa: T201


def _fitted(text: str, stream: TextIO) -> list[str]:
    clean = _clean(text).split("\n")
    if not stream.isatty():
        return clean
    clean = [layout.short_times(one, _now()) for one in clean]
    width = _console(stderr=stream is sys.stderr).width
    return [part for one in clean for part in layout.indented(one, width)]


def document(value: Any) -> None:
    """Print the single JSON document of `--json`."""
    print(_clean(json_.dumps(value, indent=2, ensure_ascii=False)))  # noqa: T201


def table(columns: Columns, rows: Iterable[Mapping[str, Any]], *, empty: str) -> None:
    """Print a table, or on a terminal that is too narrow a block for each row. Without rows,
    `empty` goes to standard error."""
    console = _console(stderr=False)
    headings = tuple(heading for heading, _ in columns)
    cells = tuple(tuple(_shown(pick(row, path)) for _, path in columns) for row in rows)
    if not cells:
        note(empty)
        return
    grid = Grid(headings, cells)
    if console.is_terminal:
        grid = grid.without_empty()
    for text, is_heading in layout.lines(grid, _width(console)):
        console.print(Text(text, style="bold" if is_heading else ""), soft_wrap=True)


def listed(found: Mapping[str, Any], columns: Columns, empty: str, *, json: bool) -> None:
    """Print a list of the API, as JSON or as a table."""
    if json:
        document(found)
        return
    table(columns, found["items"], empty=empty)
    if found["next"] is not None:
        note("there are more: raise --limit to see them")


def fields(row: Mapping[str, Any], columns: Columns) -> None:
    """Print one object, a line per value; on a terminal without those that are not set."""
    console = _console(stderr=False)
    values = [(heading, _shown(pick(row, path))) for heading, path in columns]
    if console.is_terminal:
        values = [(heading, value) for heading, value in values if value != "-"]
    grid = Grid(tuple(heading for heading, _ in values), (tuple(value for _, value in values),))
    for heading, value in layout.pairs(grid, _width(console)):
        console.print(Text.assemble((heading, "bold"), value), soft_wrap=True)


def _width(console: Console) -> int | None:
    return console.width if console.is_terminal else None


def _shown(value: Any) -> str:
    """`cell`, with times as people read them where a person reads."""
    text = cell(value)
    return layout.short_times(text, _now()) if sys.stdout.isatty() else text


def when(time: str) -> str:
    """A time at the end of a sentence; whole where no person reads it."""
    return layout.when(time, _now()) if sys.stdout.isatty() else f"at {time}"


def _now() -> datetime:
    return datetime.now().astimezone()


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
    for detail in error.told():
        note(f"  {detail}")


def seconds(length: float | None) -> str:
    return "-" if length is None else layout.length(length)


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
