"""The guard's judgement, in the transaction of what it lets go: under the connection's lock and
that of the sites, in later statements. See `core.guard` for its rules.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from app.core.config import ConnectionConfig
from app.core.guard import (
    HOUR,
    SITE_HOUR_LIMIT,
    Allowance,
    Standing,
    Window,
    allow,
    empties_issue,
    leaves_none,
    windows,
)
from app.core.incidents import Impact, IncidentKind
from app.core.links import Side
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.guard import counts as guard_counts
from app.store.pool import Connection
from app.store.writes.intents import Wanted
from app.sync.incidents import timeline

ISSUE_SHARE = "issue_share"
LEAVES_NONE = "leaves_none"


class Removal(Protocol):
    """Of a ledger row, to be removed if the guard lets it go."""

    @property
    def wanted(self) -> Wanted: ...


R = TypeVar("R", bound=Removal)


@dataclass(slots=True)
class Ruling(Generic[R]):
    """`going` may be reserved now. The others are held, each group for one reason."""

    going: list[R] = field(default_factory=list)
    held: list[tuple[str, list[R]]] = field(default_factory=list)

    def hold(self, reason: str, some: Sequence[R]) -> None:
        """Add a group of held removals; an empty one is left out."""
        if some:
            self.held.append((reason, list(some)))


async def judge(
    conn: Connection, state: Running, removals: Sequence[R], now: datetime
) -> Ruling[R]:
    """Which of *removals*, from the first on, may go now. What the windows have no room for, or
    what would leave none, latches the guard; what would empty an issue does not."""
    ruling: Ruling[R] = Ruling()
    if state.guard_tripped_at is not None:
        ruling.hold("guard_tripped", removals)
        return ruling
    rest = await _issues_kept(conn, state, removals, ruling, now)
    allowance = await room(conn, state, [it.wanted.site for it in rest], now)
    going, tripped_by = list(rest[: allowance.granted]), allowance.tripped_by
    if leaves_none(await guard_counts.of_connection(conn, state, _rows(going), now)):
        # All of them: which one is the last depends on nothing but the order in which they came.
        going, tripped_by = [], tripped_by or LEAVES_NONE
    ruling.going = going
    ruling.hold(f"guard_{tripped_by}", rest[len(going) :])
    if tripped_by is not None:
        await trip(conn, state, tripped_by, now)
    return ruling


async def _issues_kept(
    conn: Connection, state: Running, removals: Sequence[R], ruling: Ruling[R], now: datetime
) -> list[R]:
    """Hold the removals at each issue that they would empty; answers the others."""
    asked = Counter(twin for it in removals for twin in it.wanted.key.twins)
    counts = await guard_counts.of_twins(conn, state, asked, _rows(removals), now)
    emptied = {
        twin
        for twin, (left, gone) in counts.items()
        if empties_issue(Standing(left, asked[twin], gone))
    }
    held = [it for it in removals if not emptied.isdisjoint(it.wanted.key.twins)]
    ruling.hold(ISSUE_SHARE, held)
    return [it for it in removals if emptied.isdisjoint(it.wanted.key.twins)]


def _rows(removals: Iterable[Removal]) -> list[int]:
    return [it.wanted.ledger_id for it in removals if it.wanted.ledger_id is not None]


async def trip(conn: Connection, state: Running, reason: str, now: datetime) -> None:
    """Latched, and known to people, in one transaction."""
    if await active_connection.trip(conn, state.id, reason, now):
        await timeline.open_or_note(
            conn,
            IncidentKind.GUARD_TRIPPED,
            connection_id=state.id,
            now=now,
            detail={"window": reason},
            impact=Impact.MINOR,
        )


async def room(conn: Connection, state: Running, sites: Sequence[int], now: datetime) -> Allowance:
    """How many slots there are for so many links, each given by its site."""
    latched = state.guard_tripped_at is not None
    counted = await guard_counts.of_windows(conn, [state], now)
    used = await guard_counts.of_sites(conn, set(sites), now)
    seen = windows(state.config.guard, counted[state.id])
    seen += [_of_site("site_hour", used[site]) for site in set(sites)]
    return allow(len(sites), seen, latched=latched)


class Shown(guard_counts.Guarded, Protocol):
    """A connection as its windows are shown."""

    @property
    def config(self) -> ConnectionConfig: ...
    def site_id(self, side: Side) -> int: ...


async def shown(
    conn: Connection, connections: Sequence[Shown], now: datetime
) -> dict[int, tuple[Window, ...]]:
    """Every window that each connection's links count in, for people. Reserves nothing."""
    counted = await guard_counts.of_windows(conn, connections, now)
    sites = {it.site_id(side) for it in connections for side in Side}
    used = await guard_counts.of_sites(conn, sites, now)
    return {
        it.id: (
            *windows(it.config.guard, counted[it.id]),
            *(_of_site(f"{side.value}_site_hour", used[it.site_id(side)]) for side in Side),
        )
        for it in connections
    }


def _of_site(scope: str, used: int) -> Window:
    return Window(scope, HOUR, SITE_HOUR_LIMIT, used)
