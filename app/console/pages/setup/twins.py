"""Twins of a connection: by a CSV file, by equal keys with a preview, or by a custom field."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from starlette.responses import Response

from app.console.api import Json, Refused
from app.console.faults import NONE, Faults, by_pointer, faults_of, one
from app.console.page import Visit, get, post, to
from app.console.pages.setup.joining import active, overtaken
from app.core.connection.as_sent import connection_as_sent
from app.core.connection.twin_rows import Report, Row, rows_of

MOST_ROWS = 5000
"""Pairs that one form sends: each thousand asks both sites ten times."""
_CHUNK = 1000
_LOOK = 100
"""Equal numbers that are looked at together: each that is no issue costs a call of its own."""
_SECONDS = 20.0
"""After these a preview shows what it has."""
_SHOWN = 200
_SOME = 20
_RANGES = re.compile(r"\d{1,9}(-\d{1,9})?(,\d{1,9}(-\d{1,9})?)*")


@dataclass(frozen=True, slots=True)
class Preview:
    """Equal keys that can be paired. `more`: there may be further ones beyond what was asked."""

    left: str
    right: str
    numbers: Sequence[int]
    more: bool

    @property
    def some(self) -> list[tuple[str, str]]:
        return [(f"{self.left}-{n}", f"{self.right}-{n}") for n in self.numbers[:_SOME]]

    @property
    def ranges(self) -> str:
        """The numbers as a form carries them: `1-40,42`."""
        return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in _runs(self.numbers))


@dataclass(frozen=True, slots=True)
class Shown:
    report: Report | None = None
    preview: Preview | None = None
    faults: Faults = NONE
    typed: dict[str, str] = field(default_factory=dict)
    code: int = 200


async def _twins(visit: Visit) -> Response:
    return await _page(visit, Shown())


async def _upload(visit: Visit) -> Response:
    """All rows are read before the first is sent, so that a file that is too long pairs nothing."""
    text = visit.form.get("file", "").strip() or visit.form.get("rows", "").strip()
    if not text:
        return await _wrong(visit, one("file", "Choose a CSV file, or paste rows below"))
    report = Report()
    rows = list(islice(rows_of(text.splitlines(keepends=True), report), MOST_ROWS + 1))
    if len(rows) > MOST_ROWS:
        words = (
            f"It has more than {MOST_ROWS:,} rows: send it in parts, or by"
            f" `twinlink twins import {visit.request.path_params['name']} FILE`"
        )
        return await _wrong(visit, one("file", words))
    await _pair(visit, rows, report)
    return await _page(visit, Shown(report))


async def _pair(visit: Visit, rows: Sequence[Row], report: Report) -> None:
    """In chunks. Rows that were sent before a failure stay paired and counted."""
    for at in range(0, len(rows), _CHUNK):
        chunk = rows[at : at + _CHUNK]
        try:
            items = await _sent(visit, chunk, dry_run=False)
        except Refused as refused:
            if not report.told:
                raise
            report.stop(str(refused.problem.get("title") or refused.status), chunk[0].line)
            return
        report.told = True
        for row, item in zip(chunk, items, strict=True):
            report.heed(row, item)


async def _sent(visit: Visit, rows: Sequence[Row], *, dry_run: bool) -> list[Json]:
    pairs = [{"left": row.left, "right": row.right} for row in rows]
    path = f"connections/{visit.request.path_params['name']}/twins"
    answer = await visit.api.post(path, {"twins": pairs, "dry_run": dry_run})
    items: list[Json] = answer["items"]
    return items


async def _previewed(visit: Visit) -> Response:
    """OPS-1 = SUP-1 and so on, up to where a hundred of them have no issue."""
    left, right = visit.said("left").upper(), visit.said("right").upper()
    text = visit.said("first") or "1"
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 9):
        return await _wrong(visit, one("first", "must be a number, such as 1"))
    numbers: list[int] = []
    asked, more = range(int(text), int(text) + _LOOK), True
    until = asyncio.get_running_loop().time() + _SECONDS
    while more and len(numbers) <= MOST_ROWS - _LOOK:
        items = await _sent(visit, _equal(left, right, asked), dry_run=True)
        good = [n for n, it in zip(asked, items, strict=True) if it["status"] == "paired"]
        numbers += good
        more = bool(good)
        asked = range(asked.stop, asked.stop + _LOOK)
        if asyncio.get_running_loop().time() > until:
            break
    if not numbers:
        words = f"{left} and {right} have no issues of equal number that could be paired"
        return await _wrong(visit, one("left", words))
    return await _page(visit, Shown(preview=Preview(left, right, numbers, more)))


async def _keys(visit: Visit) -> Response:
    """What the preview showed."""
    left, right, text = visit.said("left"), visit.said("right"), visit.said("numbers")
    numbers = _numbers(text)
    if not 0 < len(numbers) <= MOST_ROWS:
        return await _wrong(visit, one("left", "Preview the pairs first"))
    report = Report()
    await _pair(visit, _equal(left, right, numbers), report)
    return await _page(visit, Shown(report))


def _equal(left: str, right: str, numbers: Sequence[int]) -> list[Row]:
    return [Row(n, f"{left}-{n}", f"{right}-{n}") for n in numbers]


def _numbers(text: str) -> list[int]:
    """Of `1-40,42`; none of what is nothing like it, or names more than a form may."""
    if not _RANGES.fullmatch(text):
        return []
    ends = [part.partition("-") for part in text.split(",")]
    runs = [(int(first), int(last or first)) for first, _, last in ends]
    if sum(max(0, last - first + 1) for first, last in runs) > MOST_ROWS:
        return []
    return [n for first, last in runs for n in range(first, last + 1)]


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Consecutive numbers as first and last; *numbers* ascend."""
    begin = before = None
    for number in numbers:
        if begin is None or before is None or number != before + 1:
            if begin is not None and before is not None:
                yield begin, before
            begin = number
        before = number
    if begin is not None and before is not None:
        yield begin, before


async def _field(visit: Visit) -> Response:
    """Twins come from a custom field from now on, and workers keep them up to date."""
    name = visit.request.path_params["name"]
    twins = {"source": "field", "side": visit.said("side"), "field": visit.said("field")}
    known = await active(visit, name)
    body = connection_as_sent(known.config) | {"twins": twins}
    seen = visit.version("revision")
    try:
        await visit.api.put(
            f"connections/{name}", body, version=known.revision if seen is None else seen
        )
    except Refused as refused:
        names = {"/twins": "field", "/twins/side": "side", "/twins/field": "field"}
        faults = overtaken(name, refused) or faults_of(refused, by_pointer(names))
        typed = {"side": twins["side"], "field": twins["field"]}
        return await _page(visit, Shown(faults=faults, typed=typed, code=refused.status))
    return to(f"/setup/connections/{name}", done="field")


async def _wrong(visit: Visit, faults: Faults) -> Response:
    typed = {name: visit.said(name) for name in ("rows", "left", "right", "first")}
    return await _page(visit, Shown(faults=faults, typed=typed, code=422))


async def _page(visit: Visit, shown: Shown) -> Response:
    name = visit.request.path_params["name"]
    connection = await visit.api.get(f"connections/{name}")
    outlook = await visit.api.get(f"connections/{name}/outlook")
    return visit.page(
        "setup/twins.html",
        f"Twins of {name}",
        code=shown.code,
        it=connection,
        outlook=outlook,
        report=shown.report,
        bad=[] if shown.report is None else shown.report.bad[:_SHOWN],
        preview=shown.preview,
        faults=shown.faults,
        typed=shown.typed,
        most=MOST_ROWS,
    )


_AT = "/setup/connections/{name}/twins"
ROUTES = [
    get(_AT, _twins),
    post(_AT, _upload),
    post(f"{_AT}/preview", _previewed),
    post(f"{_AT}/keys", _keys),
    post(f"{_AT}/field", _field),
]
