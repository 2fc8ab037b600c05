"""Pairs of issue keys in a CSV text, row by row, and a report on every one."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

LONGEST_KEY = 300
GOOD = frozenset({"paired", "unchanged"})
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*-[0-9]+")


class Row(NamedTuple):
    line: int
    left: str
    right: str


def _silent(_text: str) -> None:
    return None


@dataclass(slots=True)
class Report:
    """`counts` has the service's statuses as keys; `bad` holds every row that was not paired, with
    its line. `stopped` says why sending ended early, `unsent` at which line."""

    say: Callable[[str], None] = _silent
    counts: Counter[str] = field(default_factory=Counter)
    bad: list[dict[str, Any]] = field(default_factory=list)
    stopped: str | None = None
    unsent: int | None = None
    told: bool = False

    @property
    def whole(self) -> bool:
        return not self.bad and self.stopped is None

    def heed(self, row: Row, outcome: dict[str, Any]) -> None:
        """What the service answered about *row*."""
        self.counts[outcome["status"]] += 1
        if outcome["status"] not in GOOD:
            self.refuse(row, outcome["status"], outcome.get("detail") or "")

    def refuse(self, row: Row, status: str, detail: str) -> None:
        self.bad.append({**row._asdict(), "status": status, "detail": detail})
        self.say(f"line {row.line}: {row.left},{row.right}: {status}{detail and f' ({detail})'}")

    def stop(self, reason: str, line: int) -> None:
        self.stopped, self.unsent = reason, line

    def plain(self) -> dict[str, Any]:
        return {
            "counts": dict(self.counts),
            "bad": self.bad,
            "stopped": self.stopped,
            "unsent_from_line": self.unsent,
        }

    def summary(self) -> str:
        counted = ", ".join(f"{n} {status}" for status, n in sorted(self.counts.items()))
        said = counted or "no rows"
        if self.stopped is None:
            return said
        return f"{said}; lines from {self.unsent} on may not be paired: {self.stopped}"


def issue_key(text: str) -> str:
    """An issue's key, also where a person wrote it in lower case."""
    return text.strip().upper() if _KEY.fullmatch(text.strip()) else text.strip()


def rows_of(text: Iterable[str], report: Report) -> Iterator[Row]:
    """Rows that can be sent; the others are reported. A heading and empty lines are skipped."""
    lines = iter(text)
    first = next(lines, "")
    reader = csv.reader(chain([first], lines), strict=True, delimiter=_delimiter(first))
    try:
        for columns in reader:
            cells = [issue_key(cell) for cell in columns]
            heading = reader.line_num == 1 and [it.lower() for it in cells] == ["left", "right"]
            if not any(cells) or heading:
                continue
            if len(cells) == 2 and all(map(_fits, cells)):
                yield Row(reader.line_num, *cells)
            else:
                report.counts["malformed"] += 1
                row = Row(reader.line_num, cells[0], ",".join(cells[1:]))
                report.refuse(row, "malformed", "a row must have two issue keys")
    except (csv.Error, UnicodeDecodeError) as error:
        report.stop(f"this is not CSV: {error}", reader.line_num + 1)


def _delimiter(line: str) -> str:
    """Excel writes semicolons or tabs where the comma separates decimals."""
    return next((it for it in (",", ";", "\t") if it in line), ",")


def _fits(cell: str) -> bool:
    """Whether the API accepts the text. Only the service knows whether it is an issue's key."""
    return 0 < len(cell) <= LONGEST_KEY and cell.isprintable()
