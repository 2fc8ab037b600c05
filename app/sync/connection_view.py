"""A connection as people see it, for the API, the console and the command line alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.config import Mode
from app.core.guard import Window, windows
from app.store import intents, running
from app.store.connections import ConnectionRow
from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class View:
    """``paused`` holds for its own pause and the global one."""

    row: ConnectionRow
    paused: bool
    windows: tuple[Window, ...]


async def view(conn: Connection, row: ConnectionRow, now: datetime) -> View:
    """With the guard's numbers as they are now; a look at them reserves nothing."""
    found = await running.load(conn, row.id)
    if found is None:  # deleted since
        return View(row, row.paused, ())
    counts = await intents.guard_counts(conn, found, now)
    return View(row, found.paused, tuple(windows(row.config.guard, counts)))


async def views(conn: Connection, rows: Sequence[ConnectionRow], now: datetime) -> list[View]:
    return [await view(conn, row, now) for row in rows]


def next_step(row: ConnectionRow, twins: int) -> str:
    """What the administrator of this connection should do next."""
    at = f"/api/v1/connections/{row.name}"
    if twins == 0 and row.config.twins.source == "api":
        return f"Pair issues: POST {at}/twins, or import a CSV. There are none yet."
    if row.mode is Mode.SHADOW:
        return (
            f"In shadow with {twins} twins: nothing is written. Look at GET /api/v1/plans"
            f"?connection={row.name}, then PUT {at}/mode."
        )
    return f"In mode {row.mode.value} with {twins} twins: follow GET {at}/status."
