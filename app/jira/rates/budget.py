"""Rate budgets: what every worker may send to a site, and when.

Jira limits per endpoint, method and second, and writes per issue (docs/jira.md).
`Budget.take` returns when one request may leave; it never refuses. `SharedBudget` shares the
turns of all workers through Redis, `LocalBudget` keeps them in one process.

The promise: in no sliding second do more requests leave than the limit. A worker that uses its
turn late reports it (`Grant.sent`), and the turn counts from then; a worker that wakes up much too
late gives the turn back and asks again. Turns are spaced, so there is no burst; after an idle
moment they may follow each other more quickly, within the limit of the same second.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NewType, Protocol

from app.core.links import IssueId

Scope = NewType("Scope", str)
"""What a pause covers: the site, one endpoint and method of it, or one issue."""

LATE = 0.02
"""Seconds by which a request may leave after its turn. One that leaves later moves its turn."""

TOO_LATE = 0.1
"""Seconds. A turn that comes later is given back, and a request that would leave later asks for
another one: the room behind it is granted half a second ahead (`LIVE_HORIZON`)."""

ON_THE_WAY = 0.03
"""Seconds by which one request may be slower on its way to Jira, which counts arrivals, than one
that leaves a second later."""

SECOND = 1 + LATE + ON_THE_WAY
"""The length of the sliding second in which we keep a limit."""

SHARE = 1 / SECOND
"""The share of the limit that we use."""

CATCH_UP = 1.5
"""How much quicker turns may follow each other while fewer than the limit were used."""

EVEN = 1.25
"""The same where Jira says that its limit is near because of us: nearly even, and a turn that came
late costs the rate little."""

CATCH_UP_FROM = 10.0
"""Turns a second. A slower line always keeps its even pace."""

LIVE_HORIZON = 0.5
"""Seconds ahead for which live traffic may hold turns."""

BULK_HORIZON = 0.05
"""The same for bulk traffic: so a live request waits this long for bulk at most."""

BULK_SHARE = 0.8
"""The largest share of the rate for bulk, in any second after live traffic."""

BULK_EVERY = 20
"""Turns. Bulk that has had none of this many may hold a turn as far ahead as live traffic: many
live requests delay it but never stop it."""

LONGEST_AGO = 1.0
"""Seconds. Turns of a second before that are not known any more."""

SLOW_SECONDS = 5.0
"""How long the pace stays lower after Jira said that a limit is near, or reached."""

OURS = 0.7
"""A share of a limit. Jira says from four fifths on that a limit is near. If we send less than this
share, others send as well, and we make room. If we send more, we are the reason: we keep the limit
and send evenly. Two refusals in a row show that others send as well."""


def site_scope() -> Scope:
    return Scope("site")


def endpoint_scope(endpoint: str, method: str) -> Scope:
    return Scope(f"endpoint:{endpoint}:{method}")


def issue_scope(issue: IssueId) -> Scope:
    return Scope(f"issue:{issue}")


def scopes_of(endpoint: str, method: str, issues: Sequence[IssueId]) -> list[Scope]:
    """Every scope whose pause applies to such a call."""
    return [site_scope(), endpoint_scope(endpoint, method), *map(issue_scope, issues)]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one line of turns goes: `most` in a `SECOND`, and seconds between two:
    `steady`, or `quick` while it makes up for an idle moment, `even` near the limit."""

    line: str
    most: int
    steady: float
    quick: float
    even: float

    @classmethod
    def of(cls, line: str, per_second: float) -> "Pace":
        """The intervals for a limit of *per_second* calls. A low limit has only the steady one."""
        steady = 1 / (SHARE * per_second)
        quick, even = steady / CATCH_UP, steady / EVEN
        if per_second < CATCH_UP_FROM:
            quick = even = steady
        return cls(line, max(1, int(per_second)), steady, quick, even)

    @property
    def ours(self) -> int:
        """From this many turns in the last second on, we are the reason that a limit is near."""
        return max(1, int(OURS * self.most))


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests per second by method, and writes per issue as (seconds, writes).

    The defaults are the documented ones of Cloud. Data Center has none that is documented: what
    its administrator allows is the rate of its site. Whether a link counts against both issues
    is not documented, so callers count both.
    """

    per_second: Mapping[str, float] = field(
        default_factory=lambda: {"GET": 100.0, "POST": 100.0, "PUT": 50.0, "DELETE": 50.0}
    )
    per_issue: tuple[tuple[float, int], ...] = ((2.0, 20), (30.0, 100))

    share: float = 1.0
    """The share of all limits that is ours."""

    def pace(self, endpoint: str, method: str) -> Pace:
        """A method without a limit of its own has the limit of DELETE, the lowest."""
        rate = self.per_second.get(method, self.per_second["DELETE"])
        return Pace.of(f"{endpoint}:{method}", rate * self.share)

    def paces(self, ask: "Ask") -> list[Pace]:
        """Every line that this turn is taken from: its endpoint's, and the site's own if it has
        a rate (Data Center's administrator gives each user one, for all calls together)."""
        own = [] if ask.rate is None else [Pace.of("site", ask.rate * self.share)]
        return [self.pace(ask.endpoint, ask.method), *own]

    def scaled(self, share: float) -> "Limits":
        """With this share of every limit, at least one write."""
        per_issue = tuple((seconds, max(1, int(most * share))) for seconds, most in self.per_issue)
        return Limits(self.per_second, per_issue, share)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for one turn."""

    site: int
    endpoint: str
    method: str
    issues: tuple[IssueId, ...]
    bulk: bool
    rate: float | None = None

    @property
    def queue(self) -> tuple[int, str, str, bool]:
        """Calls that wait for the same turns wait in one line."""
        return (self.site, self.endpoint, self.method, self.bulk)

    @property
    def horizon(self) -> float:
        """For how many seconds ahead such a call may hold a turn."""
        return BULK_HORIZON if self.bulk else LIVE_HORIZON


@dataclass(frozen=True, slots=True)
class Turn:
    """Granted: use it in `wait` seconds. Otherwise ask again then. `queue` says whether the calls
    behind must wait too, or only this one (its issue has had its share). `name` identifies the
    turn when it is given back."""

    granted: bool
    wait: float
    queue: bool = True
    name: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """A turn that has come: one request may leave now. `waited` is the wait in seconds; `moved` is
    called with the seconds by which the turn was used late, or with None if it is given back."""

    waited: float
    due: float
    clock: Callable[[], float]
    moved: Callable[[float | None], None]

    def lapsed(self) -> bool:
        """The turn came too late and is given back; take another one."""
        late = self.clock() - self.due > TOO_LATE
        if late:
            self.moved(None)
        return late

    def sent(self) -> None:
        """Call right before the first byte leaves: a turn that is used late counts from then."""
        late = self.clock() - self.due - LATE
        if late > 0:
            self.moved(late)


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
        rate: float | None = None,
    ) -> Grant:
        """Wait for a turn. `issues` are both ends of a write; `rate` is the limit of the site in
        calls per second, if it is known."""
        ...

    async def pause(self, site: int, scope: Scope, seconds: float) -> None:
        """Stop all calls within the scope for this long; a longer pause stays."""
        ...

    async def slow(
        self,
        site: int,
        endpoint: str,
        method: str,
        *,
        ago: float = 0.0,
        paused: float | None = None,
    ) -> None:
        """Slow down after Jira said that this limit is near, to a request that left `ago` seconds
        before: for `SLOW_SECONDS` to the even pace if our own calls are the reason, otherwise to
        half of it. `paused`: Jira refused the call for so many seconds. All refusals within them
        count once; another soon after them also halves the pace."""
        ...
