"""A connection as people see it, for the API, the console and the command line alike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from app.core.config import Mode
from app.core.guard import Window
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.config.connections import ConnectionRow
from app.store.pool import Connection
from app.store.upkeep import installation
from app.store.views import pending_work
from app.store.views.pending_work import Outlook
from app.sync.guard import judge, reset, unpairings
from app.sync.guard.reset import Resets


@dataclass(frozen=True, slots=True)
class Ways:
    """How a face of the service is asked for the same things."""

    pair: str
    shadow: str
    held: str
    follow: str
    compare: str


@dataclass(frozen=True, slots=True)
class View:
    """`paused` holds for its own pause and the global one."""

    row: ConnectionRow
    paused: bool
    windows: tuple[Window, ...]
    resets: Resets
    outlook: Outlook

    @property
    def next_step(self) -> str:
        """What its administrator should do next, and what going up a mode would do."""
        at, plans = f"/api/v1/connections/{self.row.name}", f"?connection={self.row.name}&status="
        return self._step(
            Ways(
                pair=f"POST {at}/twins, or import a CSV",
                shadow=f"GET /api/v1/plans{plans}shadow",
                held=f"GET /api/v1/plans{plans}held",
                follow=f"GET {at}/status",
                compare="a resync with dry_run",
            )
        )

    @property
    def next_command(self) -> str:
        """The same in the command line's language."""
        name = self.row.name
        plans = f"twinlink plan list --connection {name} --status"
        return self._step(
            Ways(
                pair=f"twinlink twins import {name} FILE",
                shadow=f"{plans} shadow",
                held=f"{plans} held",
                follow=f"twinlink status {name}",
                compare=f"twinlink resync {name} --dry-run",
            )
        )

    def _step(self, ways: Ways) -> str:
        if self.outlook.twins == 0 and self.row.config.twins.source == "api":
            return f"Pair issues: {ways.pair}. There are none yet."
        pause = "Paused: nothing is written. " if self.paused else ""
        return pause + _by_mode(self, ways)


async def view(conn: Connection, row: ConnectionRow, now: datetime) -> View:
    return (await views(conn, [row], now))[0]


async def views(conn: Connection, rows: Sequence[ConnectionRow], now: datetime) -> list[View]:
    """With the guards' numbers as they are now; a look at them reserves nothing. As many statements
    for all of them as for one."""
    ids = [row.id for row in rows]
    running = await active_connection.load_all(conn, ids)
    rows = [_spelled(row, running.get(row.id)) for row in rows]
    seen = await pending_work.of_connections(conn, ids)
    resets = await reset.shown(conn, ids, now)
    windows = await judge.shown(conn, rows, now)
    unpaired = await unpairings.shown(conn, rows, now)
    everything = (await installation.state(conn)).paused_at is not None
    return [
        View(
            row,
            row.paused or everything,
            (*windows[row.id], *unpaired[row.id]),
            resets[row.id],
            seen[row.id],
        )
        for row in rows
    ]


def _spelled(row: ConnectionRow, running: Running | None) -> ConnectionRow:
    """With its types as they are spelled now: one may have been renamed since the revision."""
    if running is None or running.revision != row.revision:
        return row
    return replace(row, config=running.config)


def _by_mode(it: View, ways: Ways) -> str:
    seen = it.outlook
    twins = _counted(seen.twins, "twin")
    match it.row.mode:
        case Mode.SHADOW:
            creates, removes = _counted(seen.creates, "link"), _counted(seen.removes, "link")
            return (
                f"In shadow with {twins}: create_only would make {creates}; review would also hold"
                f" {removes} for removal, and live remove them within the guard's limits. See"
                f" {ways.shadow}."
            )
        case Mode.CREATE_ONLY:
            return (
                f"Links of {twins} are made, none is removed. Review would hold every removal"
                f" for a decision; {ways.compare} counts them."
            )
        case Mode.REVIEW:
            limit = next((window.limit for window in it.windows if window.scope == "hour"), 0)
            return (
                f"{_waiting(it, ways)} Live would remove by itself, at most {limit} links an hour."
            )
        case Mode.LIVE if it.row.tripped:
            return f"The guard is tripped. {_waiting(it, ways)}"
        case Mode.LIVE:
            follow = f"Follow {ways.follow}."
            return f"{_waiting(it, ways)} {follow}" if seen.held else f"Live with {twins}. {follow}"
        case _:
            assert_never(it.row.mode)


def _waiting(it: View, ways: Ways) -> str:
    """Removals that are held, and where to decide about them."""
    seen = it.outlook
    held = f"{_counted(seen.held, 'removal')} held"
    if seen.plans == 0:
        return f"{held}, no plan waits for a decision yet."
    return f"{held}, {_counted(seen.plans, 'plan')} to decide about: {ways.held}."


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
