"""Rate budgets: what every worker may send to a site, and when.

Jira limits per endpoint, method and second, and writes per issue (jira-facts section 3).
`Budget.take` returns when one request may leave; it never refuses. `SharedBudget` shares the
turns of all workers through Redis, `LocalBudget` keeps them in one process.

The promise: no sliding second holds more turns than the limit. Turns are spaced evenly, so
there is no burst to lose track of, and a little apart from the limit, so that a worker that
wakes up late (by `LATE` at most, else it asks again) still keeps it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NewType, Protocol

from app.core.links import IssueId

Scope = NewType("Scope", str)
"""What a pause covers: the site, one endpoint and method of it, or one issue."""

LATE = 0.05
"""Seconds by which a turn may be used too late."""

SHARE = 0.95
"""Of the limit that is used: (1 + LATE) x SHARE is just below 1."""

LIVE_HORIZON = 0.5
"""Seconds ahead for which live traffic may hold turns."""

BULK_HORIZON = 0.05
"""The same for bulk traffic: so a live request waits this long for bulk at most."""

BULK_SHARE = 0.8
"""Of the rate, for bulk in any second after live traffic."""

SLOW_SECONDS = 5.0
"""How long the rate stays halved after Jira said that a limit is near."""


def site_scope() -> Scope:
    return Scope("site")


def endpoint_scope(endpoint: str, method: str) -> Scope:
    return Scope(f"endpoint:{endpoint}:{method}")


def issue_scope(issue: IssueId) -> Scope:
    return Scope(f"issue:{issue}")


def scopes_of(endpoint: str, method: str, issues: Sequence[IssueId]) -> list[Scope]:
    """Every scope whose pause holds such a call."""
    return [site_scope(), endpoint_scope(endpoint, method), *map(issue_scope, issues)]


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests per second by method, and writes per issue as (seconds, writes).

    The defaults are the documented ones of Cloud. Data Center's administrator sets others;
    lower them per installation. Whether a link counts against both issues is not documented,
    so callers count both.
    """

    per_second: Mapping[str, float] = field(
        default_factory=lambda: {"GET": 100.0, "POST": 100.0, "PUT": 50.0, "DELETE": 50.0}
    )
    per_issue: tuple[tuple[float, int], ...] = ((2.0, 20), (30.0, 100))

    def interval(self, method: str) -> float:
        """Seconds between two turns. A method without a limit has that of DELETE, the lowest."""
        return 1 / (SHARE * self.per_second.get(method, self.per_second["DELETE"]))

    def scaled(self, share: float) -> "Limits":
        per_issue = tuple((seconds, max(1, int(most * share))) for seconds, most in self.per_issue)
        return Limits({name: rate * share for name, rate in self.per_second.items()}, per_issue)


@dataclass(frozen=True, slots=True)
class Ask:
    """One turn that somebody wants."""

    site: int
    endpoint: str
    method: str
    issues: tuple[IssueId, ...]
    bulk: bool

    @property
    def queue(self) -> tuple[int, str, str, bool]:
        """Those who wait for the same turns wait in one line."""
        return (self.site, self.endpoint, self.method, self.bulk)

    @property
    def horizon(self) -> float:
        return BULK_HORIZON if self.bulk else LIVE_HORIZON


@dataclass(frozen=True, slots=True)
class Turn:
    """Granted: use it in ``wait`` seconds. Else: ask again then. ``queue`` says whether those
    behind must wait too, or only this one (its issue has had its share)."""

    granted: bool
    wait: float
    queue: bool = True


class Budget(Protocol):
    """Shared turns. Every method is safe to cancel; a cancelled `take` wastes its turn."""

    async def take(
        self,
        site: int,
        endpoint: str,
        method: str,
        issues: Sequence[IssueId] = (),
        *,
        bulk: bool = False,
    ) -> float:
        """Wait for a turn; the seconds waited. ``issues`` are both ends of a write."""
        ...

    async def pause(self, site: int, scope: Scope, seconds: float) -> None:
        """Nobody sends within the scope for so long; a longer pause stays."""
        ...

    async def slow(self, site: int, endpoint: str, method: str) -> None:
        """Jira says that this limit is near: halve the rate for `SLOW_SECONDS`."""
        ...
