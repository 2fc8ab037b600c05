"""The guard: how many removals a window still has room for. Counts in, numbers out.

Windows slide: at any moment the last hour and the last day are looked at, so no two adjoining
windows can be used up back to back. A reset starts both from zero.

Small numbers pass below any window's minimum, so two rules look at what would be left. Both count
over the day's window, so that links that go one by one count like all of them at once.

=====================  ===================================  ==========================
rule                   holds                                and then
=====================  ===================================  ==========================
a window is full       what it has no room for              latched, for the connection
`leaves_none`        all that is asked for                latched, for the connection
`empties_issue`      what is asked for at that issue      the others go on
=====================  ===================================  ==========================
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor

from app.core.config import GuardLimits, WindowLimits

HOUR = 3600
DAY = 86_400
# Of all connections of a site together (docs/how-it-decides.md); no configuration raises it.
SITE_HOUR_LIMIT = 200
# A reset opens fresh windows, so that their number decides how much can go in a day.
RESETS_A_DAY = 3
# Fewer links than these are too few to tell an accident from work (docs/how-it-decides.md).
FEW_OF_A_CONNECTION = 3
FEW_OF_AN_ISSUE = 5
# Eighty per cent of one issue's links, as a fraction: no rounding decides about a link.
MOST_OF_AN_ISSUE = (4, 5)


@dataclass(frozen=True, slots=True)
class WindowCount:
    """Taken in one transaction under the connection's lock. All are numbers of links.

    `used` guarded removals reserved within the window; `managed` links managed now;
    `created` and `removed` what the window added to and took from the managed ones.
    """

    scope: str
    seconds: int
    used: int
    managed: int
    created: int
    removed: int

    @property
    def managed_at_start(self) -> int:
        """The managed links when the window began, at least 0."""
        return max(0, self.managed - self.created + self.removed)


@dataclass(frozen=True, slots=True)
class Window:
    """One window as people see it."""

    scope: str
    seconds: int
    limit: int
    used: int

    @property
    def room(self) -> int:
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class Allowance:
    """`granted` of what was asked may go now. `tripped_by` names the first full window
    when not all may; from then on the guard is latched until it is re-armed."""

    granted: int
    tripped_by: str | None


def limit(limits: WindowLimits, managed_at_start: int) -> int:
    """Share of the links managed at the window's start, at least min, at most max."""
    return min(limits.max, max(limits.min, floor(limits.share * managed_at_start)))


def windows(limits: GuardLimits, counts: Sequence[WindowCount]) -> list[Window]:
    """The connection's windows with their limits, and the site's as it is."""
    by_scope = {"hour": limits.hour, "day": limits.day}
    return [
        Window(
            count.scope,
            count.seconds,
            limit(by_scope[count.scope], count.managed_at_start)
            if count.scope in by_scope
            else SITE_HOUR_LIMIT,
            count.used,
        )
        for count in counts
    ]


def allow(asked: int, seen: Sequence[Window], *, latched: bool) -> Allowance:
    """How many of *asked* removals may be reserved. A latched guard grants none."""
    if latched:
        return Allowance(0, None)
    room = min((window.room for window in seen), default=0)
    if asked <= room:
        return Allowance(asked, None)
    fullest = min(seen, key=lambda window: window.room, default=None)
    return Allowance(room, fullest.scope if fullest else "none")


def next_reset(resets: Sequence[datetime], now: datetime) -> datetime | None:
    """When a connection with these resets may be reset again; None: now."""
    day = timedelta(seconds=DAY)
    recent = sorted(at for at in resets if at > now - day)
    return recent[-RESETS_A_DAY] + day if len(recent) >= RESETS_A_DAY else None


@dataclass(frozen=True, slots=True)
class Standing:
    """Numbers of managed links of a connection, or of one issue, when the removal of some is asked
    for.

    `left` would remain after it. `gone` were there within the window and are not any more: removed
    through the guard, vanished, or (of an issue) waiting in a plan for a decision. Removals that a
    person approved are outside the windows, and in neither number.
    """

    left: int
    asked: int
    gone: int

    @property
    def stood(self) -> int:
        return self.left + self.asked + self.gone


def leaves_none(it: Standing) -> bool:
    """Whether these would be the last of three or more links of a connection."""
    return it.asked > 0 and it.left == 0 and it.stood >= FEW_OF_A_CONNECTION


def empties_issue(it: Standing) -> bool:
    """Whether these would come to 80 % of one issue's five or more links."""
    part, whole = MOST_OF_AN_ISSUE
    most = (it.asked + it.gone) * whole >= it.stood * part
    return it.asked > 0 and it.stood >= FEW_OF_AN_ISSUE and most
