"""A budget in one process: tests, a single worker, and the fall-back while Redis is away."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from app.core.links import IssueId
from app.jira.rates.budget import (
    BULK_EVERY,
    BULK_SHARE,
    LIVE_HORIZON,
    LONGEST_AGO,
    SECOND,
    SLOW_SECONDS,
    Ask,
    Grant,
    Limits,
    Pace,
    Scope,
    Turn,
)
from app.jira.rates.budget_line import Clock, IssueLog, Line, Pauses, Sleep


@dataclass(slots=True)
class _Bucket:
    """The turns of one line. All times by the process's clock."""

    born: float
    next_bulk: float = 0.0
    last_live: float = float("-inf")
    even_until: float = float("-inf")
    slow_until: float = float("-inf")
    refused_until: float = float("-inf")
    turns: deque[float] = field(default_factory=deque)
    """The due times of the last turns: as many as the limit, and those granted ahead."""

    def spacing(self, pace: Pace, now: float) -> float:
        """A line whose last second is not known yet makes up for nothing."""
        if self.slow_until > now:
            return 2 * pace.steady
        known = now >= self.born + SECOND
        if not known:
            return pace.steady
        return pace.quick if self.even_until <= now else pace.even

    def refused_again(self, now: float) -> bool:
        """Soon after the pause of an earlier refusal, not within it."""
        return self.refused_until <= now <= self.refused_until + SLOW_SECONDS

    def free_at(self, pace: Pace, now: float, *, bulk: bool) -> float:
        last = self.turns[-1] if self.turns else self.born
        at = max(now, last + self.spacing(pace, now))
        if len(self.turns) >= pace.most:
            at = max(at, self.turns[-pace.most] + SECOND)
        return max(at, self.next_bulk) if bulk and now - self.last_live < 1 else at

    def bulk_waited(self, pace: Pace, now: float) -> bool:
        return now >= self.next_bulk + BULK_EVERY * pace.steady

    def take(self, pace: Pace, now: float, at: float, *, bulk: bool) -> None:
        self.turns.append(at)
        while len(self.turns) > 3 * pace.most:
            self.turns.popleft()
        if bulk:
            self.next_bulk = at + pace.steady / BULK_SHARE
        else:
            self.last_live = now


class LocalBudget:
    """See `Budget`. `clock` and `sleep` are replaced where time is simulated."""

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
        self._buckets: dict[tuple[int, str], _Bucket] = {}

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
        ask = Ask(site, endpoint, method, tuple(issues), bulk, rate)
        return await self._line.wait(ask, self.answer, self.give_back, self.move)

    async def pause(self, site: int, scope: Scope, seconds: float) -> None:
        self._pauses.add(site, scope, seconds)

    async def slow(
        self,
        site: int,
        endpoint: str,
        method: str,
        *,
        ago: float = 0.0,
        paused: float | None = None,
    ) -> None:
        pace = self._limits.pace(endpoint, method)
        bucket, now = self._bucket(site, pace), self._clock()
        left = now - min(ago, LONGEST_AGO)
        recent = sum(1 for at in bucket.turns if left - 1 < at <= left)
        until = now + (paused or 0.0) + SLOW_SECONDS
        if recent < pace.ours or (paused is not None and bucket.refused_again(now)):
            bucket.slow_until = max(bucket.slow_until, until)
        else:
            bucket.even_until = max(bucket.even_until, until)
        if paused is not None:
            bucket.refused_until = max(bucket.refused_until, now + paused)

    async def answer(self, ask: Ask) -> Turn:
        """The rule of turns; `budget_lua` says the same to Redis."""
        paused = self._pauses.left(ask)
        if paused > 0:
            return Turn(granted=False, wait=paused, queue=not ask.issues)
        now = self._clock()
        lines = [(self._bucket(ask.site, pace), pace) for pace in self._limits.paces(ask)]
        at = max(bucket.free_at(pace, now, bulk=ask.bulk) for bucket, pace in lines)
        waited = all(bucket.bulk_waited(pace, now) for bucket, pace in lines)
        # Two turns further than live: else it would find each turn taken that it waited for.
        further = LIVE_HORIZON + 2 * max(pace.steady for _, pace in lines)
        horizon = further if ask.bulk and waited else ask.horizon
        if at - now > horizon:
            return Turn(granted=False, wait=at - now - horizon)
        hot = self._log.left(ask, at)
        if hot > 0:
            return Turn(granted=False, wait=hot, queue=False)
        for bucket, pace in lines:
            bucket.take(pace, now, at, bulk=ask.bulk)
        self._log.add(ask, at)
        return Turn(granted=True, wait=at - now, name=repr(at))

    async def give_back(self, ask: Ask, turn: Turn) -> None:
        """Give back an unused turn. The writes of its issues stay counted."""
        at = float(turn.name)
        for pace in self._limits.paces(ask):
            turns = self._bucket(ask.site, pace).turns
            if at in turns:
                turns.remove(at)

    def move(self, ask: Ask, turn: Turn, late: float | None) -> None:
        """A turn that was used so many seconds late counts from then; None: it was not used."""
        at = float(turn.name)
        for pace in self._limits.paces(ask):
            turns = self._bucket(ask.site, pace).turns
            if at not in turns:
                continue
            if late is None:
                turns.remove(at)
            else:
                turns[turns.index(at)] = at + late

    def _bucket(self, site: int, pace: Pace) -> _Bucket:
        """A new bucket starts as if its turns had just been used up."""
        key = (site, pace.line)
        if key not in self._buckets:
            # Its first turn comes one steady interval later, or half a second where that is less.
            self._buckets[key] = _Bucket(born=self._clock() - max(0.0, pace.steady - LIVE_HORIZON))
        return self._buckets[key]
