"""Read pairs of issue keys from CSV, send them to the service, and report on every row."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, NamedTuple

from app.cli.client.api_client import Service
from app.cli.output.errors import CommandError
from app.cli.output.options import issue_key

_CHUNK = 1000
"""Pairs that the API accepts in one request."""
_LONGEST_KEY = 300
_GOOD = frozenset({"paired", "unchanged"})


class Row(NamedTuple):
    line: int
    left: str
    right: str


@dataclass(slots=True)
class Report:
    """`counts` has the service's statuses as keys; `bad` holds every row that was not paired, with
    its line. `stopped` says why sending ended early, `unsent` at which line."""

    say: Callable[[str], None]
    counts: Counter[str] = field(default_factory=Counter)
    bad: list[dict[str, Any]] = field(default_factory=list)
    stopped: str | None = None
    unsent: int | None = None
    told: bool = False

    @property
    def whole(self) -> bool:
        return not self.bad and self.stopped is None

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


def import_rows(
    api: Service,
    connection: str,
    text: Iterable[str],
    report: Report,
    progressed: Callable[[int], None],
) -> None:
    """In chunks, in the file's order. Rows sent before a failure stay paired and counted."""
    rows = rows_of(text, report)
    while chunk := list(islice(rows, _CHUNK)):
        pairs = [{"left": row.left, "right": row.right} for row in chunk]
        try:
            items = api.post(f"connections/{connection}/twins", {"twins": pairs})["items"]
        except CommandError as error:
            if not report.told:
                raise
            report.stop(error.message, chunk[0].line)
            return
        report.told = True
        for row, item in zip(chunk, items, strict=True):
            report.counts[item["status"]] += 1
            if item["status"] not in _GOOD:
                report.refuse(row, item["status"], item.get("detail") or "")
        progressed(report.counts.total())


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
    return 0 < len(cell) <= _LONGEST_KEY and cell.isprintable()
