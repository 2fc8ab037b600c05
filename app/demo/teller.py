"""Prints the story, in a terminal or without one, in at most a hundred columns."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_WIDTH = 100
_INDENT = 5
_RAW_INDENT = 2

Row = Sequence[str]


class Teller:
    """*began* is when it all started, on the monotonic clock."""

    def __init__(self, stream: TextIO, *, began: float) -> None:
        self._console = console_on(stream)
        self._began = began

    @property
    def columns(self) -> int:
        """Of what is shown raw."""
        return self._console.width - _INDENT - _RAW_INDENT

    def elapsed(self) -> float:
        return monotonic() - self._began

    def title(self, text: str, under: str) -> None:
        self._out(Text.assemble((text, "bold"), "  ", (under, "dim")))

    @contextmanager
    def step(self, number: int, total: int, title: str) -> Iterator[None]:
        """A numbered heading above, how long it took below."""
        began = monotonic()
        self._out(Text())
        self._out(Text.assemble((f"{number}/{total}  ", "bold cyan"), (title, "bold")))
        yield
        self._in(Text(f"{monotonic() - began:.1f} s", style="dim"))

    def say(self, text: str) -> None:
        self._in(Text(text))

    def gap(self) -> None:
        self._out(Text())

    def raw(self, lines: Sequence[str]) -> None:
        """As it was on the wire."""
        block = Group(*(Text(line, overflow="fold", style="blue") for line in lines))
        self._in(Padding(block, (0, 0, 0, _RAW_INDENT), expand=False))

    def table(
        self, columns: Sequence[str], rows: Sequence[Row], *, numbers: Sequence[int] = ()
    ) -> None:
        """*numbers* are the columns that are aligned to the right."""
        grid = Table(
            box=box.SIMPLE_HEAD,
            show_edge=False,
            show_header=any(columns),
            pad_edge=False,
            padding=(0, 2, 0, 0),
            header_style="dim",
        )
        for at, name in enumerate(columns):
            grid.add_column(name, justify="right" if at in numbers else "left", overflow="fold")
        for row in rows:
            grid.add_row(*(Text(cell) for cell in row))
        self._in(Padding(grid, (1, 0), expand=False))

    def proven(self, text: str) -> None:
        """Something that was checked just now."""
        grid = Table.grid(padding=(0, 1))
        grid.add_row(Text("✓", style="bold green"), Text(text))
        self._in(grid)

    def failed(self, text: str, log: Sequence[str]) -> None:
        self._in(Text.assemble(("✗ ", "bold red"), (text, "red")))
        if log:
            self._in(Text("the last lines of Twinlink's own log:", style="dim"))
            self.raw(log)

    def summary(self, rows: Sequence[Row]) -> None:
        self.gap()
        self._out(Text("Verified", style="bold"))
        self.table(("", "step", "what was seen", "s"), rows, numbers=(3,))

    def _in(self, what: RenderableType) -> None:
        self._out(Padding(what, (0, 0, 0, _INDENT), expand=False))

    def _out(self, what: RenderableType) -> None:
        if self._console.is_terminal:
            self._console.print(what)
        else:  # without the blanks that fill lines up
            with self._console.capture() as kept:
                self._console.print(what)
            lines = kept.get().rstrip("\n").split("\n")
            self._console.file.write("".join(f"{line.rstrip()}\n" for line in lines))
        self._console.file.flush()


def console_on(stream: TextIO) -> Console:
    """Plain without a terminal; characters that the encoding lacks become question marks."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    console.width = min(_WIDTH, console.width) if stream.isatty() else _WIDTH
    return console
