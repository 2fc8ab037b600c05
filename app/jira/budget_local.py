"""A budget in one process: tests, a single worker, and the fall-back while Redis is away."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from app.core.links import IssueId
from app.jira.budget import (
    BULK_SHARE,
    LIVE_HORIZON,
    SLOW_SECONDS,
    Ask,
    Limits,
    Scope,
    Turn,
)
from app.jira.budget_line import Clock, IssueLog, Line, Pauses, Sleep


@dataclass(slots=True)
class _Bucket:
    """Turns of one endpoint and method. All times by the process's clock."""

    next_turn: float
    next_bulk: float = 0.0
    last_live: float = float("-inf")
    slow_until: float = float("-inf")


class LocalBudget:
    """See `Budget`. ``clock`` and ``sleep`` are replaced where time is simulated."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        clock: Clock = monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._limits = limits or Limits()
        self._clock = clock
        self._line = Line(clock, sleep)
        self._pauses = Pauses(clock)
        self._log = IssueLog(self._limits.per_issue)
        self._buckets: dict[tuple[int, str, str], _Bucket] = {}

    async def take(
        self,
        site: int,
        endpoint: str,
        method: str,
        issues: Sequence[IssueId] = (),
        *,
        bulk: bool = False,
    ) -> float:
        return await self._line.wait(Ask(site, endpoint, method, tuple(issues), bulk), self.answer)

    async def pause(self, site: int, scope: Scope, seconds: float) -> None:
        self._pauses.add(site, scope, seconds)

    async def slow(self, site: int, endpoint: str, method: str) -> None:
        self._bucket(site, endpoint, method).slow_until = self._clock() + SLOW_SECONDS

    async def answer(self, ask: Ask) -> Turn:
        """The rule of turns; `budget_lua` says the same to Redis."""
        paused = self._pauses.left(ask)
        if paused > 0:
            return Turn(granted=False, wait=paused, queue=not ask.issues)
        now = self._clock()
        bucket = self._bucket(ask.site, ask.endpoint, ask.method)
        interval = self._limits.interval(ask.method) * (2 if bucket.slow_until > now else 1)
        at = max(now, bucket.next_turn)
        if ask.bulk and now - bucket.last_live < 1:
            at = max(at, bucket.next_bulk)
        if at - now > ask.horizon:
            return Turn(granted=False, wait=at - now - ask.horizon)
        hot = self._log.left(ask, at)
        if hot > 0:
            return Turn(granted=False, wait=hot, queue=False)
        bucket.next_turn = at + interval
        if ask.bulk:
            bucket.next_bulk = at + interval / BULK_SHARE
        else:
            bucket.last_live = now
        self._log.add(ask, at)
        return Turn(granted=True, wait=at - now)

    def _bucket(self, site: int, endpoint: str, method: str) -> _Bucket:
        """A new bucket starts as if its turns had just been used up."""
        key = (site, endpoint, method)
        if key not in self._buckets:
            start = self._clock() + min(self._limits.interval(method), LIVE_HORIZON)
            self._buckets[key] = _Bucket(next_turn=start)
        return self._buckets[key]
