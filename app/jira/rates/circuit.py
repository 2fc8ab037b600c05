"""The circuit of a site, which stops calls to a Jira that is failing.

| state | which calls go | until |
|---|---|---|
| closed | all | `least` failures within `window` seconds, half or more of the calls: open |
| open | none | its time is over: half-open |
| half-open | one read, the probe | it is answered: closed; it fails: open, for twice as long |

A failure is a Jira that cannot be reached, does not answer in time, drops the connection or
answers 5xx. Any other answer shows that it works: 4xx is about one call, 429 about our budget.
A write is never the probe, since a probe that fails would leave its outcome unknown.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Literal, Protocol

State = Literal["closed", "open", "half_open"]
Heard = Literal["failed", "answered", "nothing"]
"""What a call has shown about its site; *nothing* if it did not get that far."""

PROBING = 1.0
"""Seconds after which a call that finds another probe under way asks again."""


@dataclass(frozen=True, slots=True)
class Rule:
    """All in seconds except `least`. During `probe` seconds no other call probes. That is longer
    than a request may take, and ends the probe of a worker that has died."""

    least: int = 10
    window: float = 60.0
    first: float = 2.0
    longest: float = 120.0
    probe: float = 40.0

    def time_open(self, opened: int) -> float:
        """How long the circuit stays open when it opens for the *opened*-th time in a row: a random
        time, so that the workers of many sites do not come back together."""
        grown = self.first * 2.0 ** min(opened - 1, 16)
        return min(self.longest, grown) * random.uniform(0.75, 1.25)  # noqa: S311


@dataclass(frozen=True, slots=True)
class Admission:
    """With `wait` None the call may leave; otherwise not before this many seconds. `probe`: it is
    the single call of a half-open circuit, here or of all workers, and must report its end."""

    wait: float | None = None
    probe: bool = False
    shared_probe: bool = False


GO = Admission()


@dataclass(frozen=True, slots=True)
class View:
    """`certain`: all workers see the same; otherwise only this process has seen it."""

    state: State
    certain: bool = True


class Circuit(Protocol):
    """Every method is safe to cancel; a probe that is not reported expires."""

    def left(self, site: int) -> float:
        """Seconds for which this process knows that the circuit is open, without asking Redis."""
        ...

    async def admit(self, site: int, *, write: bool) -> Admission:
        """Whether a call may leave now."""
        ...

    async def report(self, site: int, admission: Admission, heard: Heard) -> None:
        """Report how an admitted call ended."""
        ...

    async def view(self, site: int) -> View: ...

    def troubled(self) -> set[int]:
        """The sites that this process knows to be open or half-open, without asking Redis."""
        ...


@dataclass(slots=True)
class _Record:
    """The state of one site. All times by the process's clock."""

    since: float = float("-inf")
    failures: int = 0
    answers: int = 0
    opened: int = 0
    until: float = float("-inf")
    probe_until: float = float("-inf")

    def state(self, now: float) -> State:
        if self.opened == 0:
            return "closed"
        return "open" if self.until > now else "half_open"


class LocalCircuit:
    """See `Circuit`. In one process; beside Redis it is the memory that a flush leaves."""

    def __init__(self, rule: Rule | None = None, *, clock: Callable[[], float] = monotonic) -> None:
        self._rule = rule or Rule()
        self._clock = clock
        self._records: dict[int, _Record] = {}

    def left(self, site: int) -> float:
        return max(0.0, self._record(site).until - self._clock())

    async def admit(self, site: int, *, write: bool) -> Admission:
        return self.judge(site, write=write)

    async def report(self, site: int, admission: Admission, heard: Heard) -> None:
        self.hear(site, heard, probe=admission.probe)

    async def view(self, site: int) -> View:
        return View(self._record(site).state(self._clock()))

    def troubled(self) -> set[int]:
        return {site for site, record in self._records.items() if record.opened}

    def judge(self, site: int, *, write: bool) -> Admission:
        """The rule of admission; `circuit_lua` says the same to Redis."""
        now, record = self._clock(), self._record(site)
        match record.state(now):
            case "closed":
                return GO
            case "open":
                return Admission(record.until - now)
            case "half_open" if write or record.probe_until > now:
                return Admission(PROBING)
            case "half_open":
                record.probe_until = now + self._rule.probe
                return Admission(probe=True)

    def hear(self, site: int, heard: Heard, *, probe: bool) -> None:
        """The rule of states; `circuit_lua` says the same to Redis. What ends while it is open
        began before, and says nothing new."""
        now, record = self._clock(), self._record(site)
        if probe and record.opened:
            self._probed(record, heard, now)
        elif not record.opened and heard != "nothing":
            self._count(record, heard, now)

    def adopt(self, site: int, seconds: float) -> None:
        """Record that another worker has opened it, for this long from now."""
        record = self._record(site)
        record.opened = max(record.opened, 1)
        record.until = self._clock() + seconds

    def _probed(self, record: _Record, heard: Heard, now: float) -> None:
        record.probe_until = float("-inf")
        if heard == "answered":
            record.opened, record.failures, record.since = 0, 0, float("-inf")
            record.until = float("-inf")
        elif heard == "failed":
            self._open(record, now)

    def _count(self, record: _Record, heard: Heard, now: float) -> None:
        if now - record.since > self._rule.window:
            if heard == "answered":
                return
            record.since, record.failures, record.answers = now, 0, 0
        record.failures += heard == "failed"
        record.answers += heard == "answered"
        if record.failures >= max(self._rule.least, record.answers):
            self._open(record, now)

    def _open(self, record: _Record, now: float) -> None:
        record.opened += 1
        record.until = now + self._rule.time_open(record.opened)

    def _record(self, site: int) -> _Record:
        return self._records.setdefault(site, _Record())
