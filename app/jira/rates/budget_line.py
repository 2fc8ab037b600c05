"""Waiting in line for a turn: the loop that both budgets share."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import monotonic

from app.core.links import IssueId
from app.jira.rates.budget import TOO_LATE, Ask, Grant, Scope, Turn, scopes_of

LONGEST_NAP = 1.0
"""Seconds. A call that waits longer asks again in between."""

SHORTEST_NAP = 0.001
"""Seconds. Less would ask Redis again before anything could have changed."""

FORFEITS = 3
"""How many late turns are given back for others to use. After these a call leaves late: a process
that is always slow cannot burst, and must not wait for ever."""

Sleep = Callable[[float], Awaitable[None]]
Clock = Callable[[], float]
Answer = Callable[[Ask], Awaitable[Turn]]
GiveBack = Callable[[Ask, Turn], Awaitable[None]]
Move = Callable[[Ask, Turn, float | None], None]


class Line:
    """In each queue one call at a time asks, in order of arrival: fair, and cheap for Redis."""

    def __init__(self, clock: Clock = monotonic, sleep: Sleep = asyncio.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._heads: defaultdict[tuple[int, str, str, bool], asyncio.Lock] = defaultdict(
            asyncio.Lock
        )

    async def wait(self, ask: Ask, answer: Answer, give_back: GiveBack, move: Move) -> Grant:
        """Ask until a turn is granted and comes in time."""
        started = self._clock()
        for attempt in range(FORFEITS + 1):
            due, leave, turn = await self._granted(ask, answer)
            await self._nap(leave - self._clock())
            if self._clock() - due <= TOO_LATE or attempt == FORFEITS:
                break
            await give_back(ask, turn)
        return Grant(self._clock() - started, due, self._clock, partial(move, ask, turn))

    async def _granted(self, ask: Ask, answer: Answer) -> tuple[float, float, Turn]:
        """The earliest and the latest time at which the turn may be due by our clock: counted from
        before the question and from the answer. We leave at the latest and are late by the
        earliest."""
        while True:
            async with self._heads[ask.queue]:
                asked = self._clock()
                turn = await answer(ask)
                while not turn.granted and turn.queue:
                    await self._rest(turn)
                    asked = self._clock()
                    turn = await answer(ask)
            if turn.granted:
                return asked + turn.wait, self._clock() + turn.wait, turn
            await self._rest(turn)

    async def _rest(self, turn: Turn) -> None:
        await self._sleep(min(max(turn.wait, SHORTEST_NAP), LONGEST_NAP))

    async def _nap(self, seconds: float) -> None:
        if seconds > 0:
            await self._sleep(seconds)


class Pauses:
    """Pauses in this process's memory: they hold although Redis was emptied meanwhile."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._until: dict[tuple[int, Scope], float] = {}

    def add(self, site: int, scope: Scope, seconds: float) -> None:
        """A longer pause of the same scope stays."""
        now = self._clock()
        self._until = {key: until for key, until in self._until.items() if until > now}
        self._until[site, scope] = max(self._until.get((site, scope), 0.0), now + seconds)

    def left(self, ask: Ask) -> float:
        """Seconds until no scope of the call is paused; 0 if none is."""
        if not self._until:
            return 0.0
        now = self._clock()
        scopes = scopes_of(ask.endpoint, ask.method, ask.issues)
        return max(0.0, *(self._until.get((ask.site, scope), 0.0) - now for scope in scopes))


class IssueLog:
    """Writes per issue in the windows of the limits, in this process's memory."""

    def __init__(self, windows: Sequence[tuple[float, int]]) -> None:
        self._windows = windows
        self._longest = max((seconds for seconds, _ in windows), default=0.0) + TOO_LATE
        self._times: dict[tuple[int, IssueId], list[float]] = {}
        self._sweep_at = 1024

    def left(self, ask: Ask, at: float) -> float:
        """Seconds after *at* until each issue may be written again; 0 for at once."""
        waits = [0.0]
        for issue in ask.issues:
            times = self._times.get((ask.site, issue), [])
            for seconds, most in self._windows:
                if len(times) >= most:
                    waits.append(times[-most] + seconds + TOO_LATE - at)
        return max(waits)

    def add(self, ask: Ask, at: float) -> None:
        """Count one write at *at* for each issue of *ask*."""
        for issue in ask.issues:
            times = self._times.setdefault((ask.site, issue), [])
            times.append(at)
            times.sort()
            while times[0] < at - self._longest:
                del times[0]
        if len(self._times) > self._sweep_at:
            self._sweep(at)

    def _sweep(self, at: float) -> None:
        kept = {key: t for key, t in self._times.items() if t[-1] >= at - self._longest}
        self._times = kept
        self._sweep_at = max(1024, 2 * len(kept))
