"""Send pairs of issue keys of a CSV text to the service, and report on every row."""

from collections.abc import Callable, Iterable
from itertools import islice

from app.cli.client.api_client import Service
from app.cli.output.errors import CommandError
from app.core.connection.twin_rows import Report, rows_of

_CHUNK = 1000
"""Pairs that the API accepts in one request."""


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
            report.heed(row, item)
        progressed(report.counts.total())
