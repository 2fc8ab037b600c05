"""How rows are laid out: as a table where it fits, else a block for each row.

On a terminal times are short, columns that hold nothing are left out, and only prose is wrapped,
between words: an identifier is never broken. Without a terminal everything is whole, a line a row.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len

_GAP = 2
_PROSE = 24
"""Columns that a column of prose has at least, in a table."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_IN_PROSE = re.compile(rf"(?<!--since )(?<!--until )(?<![\w=]){_TIME.pattern}(?!\w)")
_DAY = 86_400
_NOTHING = frozenset({"-", "0", "no"})


@dataclass(frozen=True, slots=True)
class Grid:
    """Headings and the text of every cell."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def without_empty(self) -> "Grid":
        """Less the columns that say nothing in any row; the first one stays."""
        kept = [
            at
            for at in range(len(self.headings))
            if at == 0 or any(row[at] not in _NOTHING for row in self.rows)
        ]
        return Grid(
            tuple(self.headings[at] for at in kept),
            tuple(tuple(row[at] for at in kept) for row in self.rows),
        )

    def widths(self) -> list[int]:
        return [
            max(cell_len(heading), *(cell_len(row[at]) for row in self.rows))
            for at, heading in enumerate(self.headings)
        ]


def short_time(text: str, now: datetime) -> str:
    """A time as people read it, in this machine's zone; any other text as it is."""
    return _short(text, now) if _TIME.fullmatch(text) else text


def short_times(text: str, now: datetime) -> str:
    """The same of each time within a sentence. One that a command takes stays whole."""
    return _IN_PROSE.sub(lambda found: _short(found[0], now), text)


def when(text: str, now: datetime) -> str:
    """The end of a sentence: `in 3 h`, `at 14:05:00`, `yesterday 14:05`, `on 2026-11-20 07:38`."""
    ahead = (datetime.fromisoformat(text) - now).total_seconds()
    if 0 < ahead < _DAY:
        return f"in {length(ahead)}"
    said = _short(text, now)
    if not said[0].isdigit():
        return said
    return f"on {said}" if "-" in said else f"at {said}"


def length(seconds: float) -> str:
    """A length of time as people say it."""
    for unit, size in (("d", _DAY), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _short(text: str, now: datetime) -> str:
    at = datetime.fromisoformat(text).astimezone(now.tzinfo)
    match (at.date() - now.date()).days:
        case 0:
            return f"{at:%H:%M:%S}"
        case -1:
            return f"yesterday {at:%H:%M}"
        case 1:
            return f"tomorrow {at:%H:%M}"
        case _:
            return f"{at:%Y-%m-%d %H:%M}"


def lines(grid: Grid, width: int | None) -> Iterator[tuple[str, bool]]:
    """The lines, and whether one is a heading. *width* None: as wide as it takes."""
    widths = grid.widths()
    if width is None or sum(widths) + _GAP * (len(widths) - 1) <= width:
        yield from _table(grid, widths)
        return
    prose = _prose_column(grid)
    rest = sum(it for at, it in enumerate(widths) if at != prose) + _GAP * (len(widths) - 1)
    if prose is not None and width - rest >= max(_PROSE, _longest_word(grid, prose)):
        widths[prose] = width - rest
        yield from _table(grid, widths)
    else:
        yield from _blocks(grid, width)


def pairs(grid: Grid, width: int | None) -> Iterator[tuple[str, str]]:
    """One row as lines of heading and value; a value that is wrapped goes on under itself."""
    (row,) = grid.rows
    label = max(map(cell_len, grid.headings))
    for heading, value in zip(grid.headings, row, strict=True):
        parts = _wrapped(value, None if width is None else width - label - _GAP)
        for at, part in enumerate(parts):
            yield _padded(heading if at == 0 else "", label) + " " * _GAP, part


def indented(text: str, width: int) -> list[str]:
    """A line, wrapped between words under its own indentation."""
    blank = text[: len(text) - len(text.lstrip())]
    first, *rest = _wrapped(text.strip(), width - len(blank))
    return [blank + first, *(f"{blank}  {part}" for part in _rewrapped(rest, width - len(blank)))]


def _rewrapped(parts: Sequence[str], width: int) -> list[str]:
    return _wrapped(" ".join(parts), width - _GAP) if parts else []


def _table(grid: Grid, widths: Sequence[int]) -> Iterator[tuple[str, bool]]:
    yield _joined(grid.headings, widths), True
    for row in grid.rows:
        cells = [_wrapped(text, width) for text, width in zip(row, widths, strict=True)]
        for at in range(max(map(len, cells))):
            yield _joined([it[at] if at < len(it) else "" for it in cells], widths), False


def _blocks(grid: Grid, width: int) -> Iterator[tuple[str, bool]]:
    for at, row in enumerate(grid.rows):
        if at:
            yield "", False
        one = Grid(grid.headings, (row,))
        shown = Grid(
            tuple(h for h, text in zip(one.headings, row, strict=True) if text != "-"),
            (tuple(text for text in row if text != "-"),),
        )
        for heading, part in pairs(shown, width):
            yield (heading + part).rstrip(), False


def _prose_column(grid: Grid) -> int | None:
    """The widest column that has spaces in its cells."""
    widths = grid.widths()
    found = [
        at for at in range(len(grid.headings)) if any(" " in row[at].strip() for row in grid.rows)
    ]
    return max(found, key=lambda at: widths[at], default=None)


def _longest_word(grid: Grid, at: int) -> int:
    words = [grid.headings[at], *(word for row in grid.rows for word in row[at].split())]
    return max(map(cell_len, words))


def _wrapped(text: str, width: int | None) -> list[str]:
    """Between words only, whatever is too long then."""
    if width is None or cell_len(text) <= width:
        return [text]
    found: list[str] = []
    for word in text.split():
        if found and cell_len(found[-1]) + 1 + cell_len(word) <= width:
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found or [""]


def _joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [_padded(text, width) for text, width in zip(cells, widths, strict=True)]
    return (" " * _GAP).join(padded).rstrip()


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
