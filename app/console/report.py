"""The report of a restore or rescue to keep: each link with what became of it.

It is written page by page, so that a report of ten thousand links needs no more memory than one
of a hundred.
"""

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Final

from starlette.responses import Response, StreamingResponse

from app.console.api import Api, Json
from app.console.render import shown
from app.core.rendering.foreign_text import in_csv, in_markdown

_PAGE = 1000
_COUNTS = ("links", "restorable", "restored", "verified", "skipped", "failed", "held")
_COLUMNS = ("operation", "site", "type", "source", "destination", "link_id", "result", "reason")
Head = Callable[[Json], Iterator[str]]
Line = Callable[[Json], str]


def _row(change: Json) -> list[str]:
    ends = {name: change[name]["key"] for name in ("source", "destination")}
    values = {**change, **ends, "result": change["result"] or "not decided"}
    return [shown(values[name]) for name in _COLUMNS]


def _markdown_head(it: Json) -> Iterator[str]:
    yield f"# {it['kind'].capitalize()} {it['id']}: {it['status']}\n\n"
    yield f"Asked for by {in_markdown(it['requested_by'])} at {it['created_at']}; "
    yield f"plan {it['plan_id']} of {it['connection']}.\n\n"
    yield "".join(f"- {name}: {it[name]}\n" for name in _COUNTS)
    yield f"\n| {' | '.join(_COLUMNS)} |\n|{' --- |' * len(_COLUMNS)}\n"


def _markdown_line(change: Json) -> str:
    return f"| {' | '.join(in_markdown(value) for value in _row(change))} |\n"


def _csv_head(_: Json) -> Iterator[str]:
    yield _csv(list(_COLUMNS))


def _csv_line(change: Json) -> str:
    return _csv([in_csv(value) for value in _row(change)])


def _csv(values: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()


WRITERS: Final[Mapping[str, tuple[str, Head, Line]]] = {
    "md": ("text/markdown", _markdown_head, _markdown_line),
    "csv": ("text/csv", _csv_head, _csv_line),
}


def download(api: Api, it: Json, name: str, kind: str) -> Response:
    """The report of *it* as a file that the browser saves."""
    media_type, head, line = WRITERS[kind]

    async def text() -> AsyncIterator[str]:
        for part in head(it):
            yield part
        cursor = ""
        while True:
            plan = await api.get(f"plans/{it['plan_id']}", limit=_PAGE, cursor=cursor)
            yield "".join(line(change) for change in plan["changes"])
            if plan["next"] is None:
                return
            cursor = plan["next"]

    return StreamingResponse(
        text(),
        media_type=f"{media_type}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.{kind}"'},
    )
