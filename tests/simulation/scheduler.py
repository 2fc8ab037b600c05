"""Who goes on next. Everything that touches the world passes a gate first; one goes through at a
time, chosen by the seed, so the order of all effects is the seed's and nobody else's."""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from tests.simulation.virtual import BEGIN, REAL_MONOTONIC, VirtualLoop

STRAND: ContextVar[str] = ContextVar("STRAND", default="")
"""The job that a task belongs to, its children included."""
BLOCKED_SECONDS = 0.008
"""Longer than the simulation's `deadlock_timeout`: a statement that is taken for blocked has
looked for a deadlock and found none."""


class Died(BaseException):
    """The process is gone. Not an `Exception`: no code of ours may catch it and tidy up."""


class Owner(Protocol):
    """A process of the simulation, as the scheduler sees it."""

    name: str
    dead: bool
    gated: bool
    told: bool
    stopped_until: float


class Observer(Protocol):
    """Asks PostgreSQL from outside; waits for the answer."""

    def blocked(self, pid: int) -> bool: ...
    def stop(self, pid: int) -> None: ...
    def go_on(self, pid: int) -> None: ...


@dataclass(slots=True, eq=False)
class Gate:
    owner: Owner
    strand: str
    what: str
    waiter: "asyncio.Future[None]"


@dataclass(slots=True, eq=False)
class Flight:
    """One statement that PostgreSQL is at. `since` in real seconds; `first` in the line."""

    pid: int
    since: float
    over: "asyncio.Future[None]"
    first: bool = True
    blocked: bool = False


@dataclass(slots=True)
class Trace:
    """What happened, line by line. `digest` is equal for equal stories."""

    loop: VirtualLoop
    lines: list[tuple[float, str]] = field(default_factory=list)
    _hash: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=8))

    def note(self, line: str) -> None:
        self.lines.append((self.loop.now - BEGIN, line))
        self._hash.update(f"{self.loop.now:.6f} {line}\n".encode())

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


@dataclass(frozen=True, slots=True)
class Temper:
    """How this seed plays. `stick`: how often the same job goes on; `pace`: how often the
    people act while jobs could go on; with `ranked` the job of highest rank goes on, and ranks
    change now and then, which finds races that need one side to run far ahead."""

    stick: float
    pace: float
    ranked: bool

    @classmethod
    def of(cls, random: Random) -> "Temper":
        return cls(
            random.choice((0.3, 0.6, 0.8, 0.95)),
            random.choice((0.02, 0.04, 0.08, 0.2)),
            random.random() < 0.4,
        )


class Scheduler:
    """`people` is the owner whose gates are the next act's."""

    def __init__(self, loop: VirtualLoop, observer: Observer, seed: int) -> None:
        self.loop = loop
        self.random = Random(f"{seed}/order")
        self.temper = Temper.of(self.random)
        self.trace = Trace(loop)
        self.people: Owner | None = None
        self.broken: str | None = None
        self.passed = 0
        self.limit = 60_000
        self._observer = observer
        self._line = asyncio.Lock()
        self._parked: dict[Gate, None] = {}
        self._flights: dict[Flight, None] = {}
        self._blocked: dict[Flight, None] = {}
        self._waking: deque[Flight] = deque()
        self._last = ""
        self._ranks: dict[str, float] = {}
        loop.choose, loop.outside, loop.impatient = self._choose, self._outside, self._impatient

    # -- for those who act

    def alarm(self, what: str) -> None:
        """A promise is broken: the people hear of it next, and nothing else goes on."""
        if self.broken is None:
            self.broken = what
            self.trace.note(f"BROKEN: {what}")

    async def gate(self, owner: Owner, what: str) -> None:
        """Wait until this may happen now. Raises `Died` where the process is gone."""
        if owner.dead:
            raise Died
        if not owner.gated:
            if what and owner.told:
                self.trace.note(f"{owner.name}: {what}")
            return
        waiter: asyncio.Future[None] = self.loop.create_future()
        gate = Gate(owner, STRAND.get(), what, waiter)
        self._parked[gate] = None
        try:
            await waiter
        finally:
            self._parked.pop(gate, None)
        if owner.dead:
            raise Died

    @asynccontextmanager
    async def flight(self, pid: int) -> AsyncIterator[Flight]:
        """PostgreSQL is at something; nothing else moves until it answers, or is found to wait
        for somebody's lock. One at a time: which of two answers comes first is nobody's choice."""
        await self._line.acquire()
        it = Flight(pid, REAL_MONOTONIC(), self.loop.create_future())
        self._flights[it] = None
        try:
            yield it
        finally:
            self._leave_line(it)
            self._blocked.pop(it, None)
            it.over.set_result(None)
            if it in self._flights:
                del self._flights[it]
                self._wake()

    def _leave_line(self, it: Flight) -> None:
        if it.first:
            it.first = False
            self._line.release()

    async def landed(self, pid: int) -> None:
        """Until the statement of this backend, which ends, has come back."""
        for it in [*self._flights, *self._blocked]:
            if it.pid == pid:
                if self._blocked.pop(it, self) is None:
                    # It waits for no lock any more: its answer is on its way.
                    it.since = REAL_MONOTONIC()
                    self._flights[it] = None
                await it.over

    @contextmanager
    def unlocking(self, *, but: int = 0) -> Iterator[None]:
        """A transaction ends in here, and whoever waits for its locks may get them: in the order
        in which they came, each when the one before has its answer or waits again. Left to
        PostgreSQL, two that are woken at once would race. *but* is a backend that ends, too."""
        for it in [it for it in self._blocked if it.pid != but][1:]:
            self._observer.stop(it.pid)
        try:
            yield
        finally:
            for it in [it for it in self._blocked if it.pid != but]:
                del self._blocked[it]
                self._waking.append(it)
            self._wake()

    def _wake(self) -> None:
        if self._waking:
            it = self._waking.popleft()
            self._observer.go_on(it.pid)
            it.since = REAL_MONOTONIC()
            self._flights[it] = None

    def waits_for_a_lock(self, pid: int) -> bool:
        return any(it.pid == pid for it in self._blocked)

    # -- for the loop

    def _outside(self) -> bool:
        return bool(self._flights)

    def _impatient(self) -> None:
        now = REAL_MONOTONIC()
        for it in list(self._flights):
            if now - it.since >= BLOCKED_SECONDS and self._observer.blocked(it.pid):
                it.blocked = True
                del self._flights[it]
                self._blocked[it] = None
                self._leave_line(it)
                self._wake()

    def _choose(self) -> bool:
        now = self.loop.now
        open_ = [
            it for it in self._parked if not it.waiter.done() and it.owner.stopped_until <= now
        ]
        if not open_:
            return False
        acting = [it for it in open_ if it.owner is self.people]
        if acting and self.broken is not None:
            self._release(acting[0])
            return True
        others = [it for it in open_ if it.owner is not self.people]
        # Two answers of PostgreSQL may come in any order; whose turn it is must not depend on it.
        others.sort(key=lambda it: (it.strand, it.what))
        if acting and (not others or self.random.random() < self.temper.pace):
            chosen = acting[0]
        else:
            chosen = self._pick(others)
        self._release(chosen)
        return True

    def _pick(self, gates: list[Gate]) -> Gate:
        if len(gates) == 1:
            return gates[0]
        if self.temper.ranked:
            if self.random.random() < 0.03:
                self._ranks[self._last] = self.random.random()
            for it in gates:
                if it.strand not in self._ranks:
                    self._ranks[it.strand] = self.random.random()
            highest = max(self._ranks[it.strand] for it in gates)
            gates = [it for it in gates if self._ranks[it.strand] == highest]
        else:
            same = [it for it in gates if it.strand == self._last]
            if same and self.random.random() < self.temper.stick:
                gates = same
        return self.random.choice(gates)

    def _release(self, gate: Gate) -> None:
        self.passed += 1
        if self.passed > self.limit:
            raise AssertionError("the story does not end")
        self._last = gate.strand
        # Nothing takes no time: leases and windows see that something has happened.
        self.loop.now += 0.001 + self.random.random() * 0.004
        if gate.what:
            self.trace.note(f"{gate.strand or gate.owner.name}: {gate.what}")
        del self._parked[gate]
        gate.waiter.set_result(None)
