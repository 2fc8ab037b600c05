"""Group commit: deliveries of the same few milliseconds share one transaction and one fsync."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from app.core.errors import PermanentError, TransientError
from app.store.pool import Database
from app.store.queue.inbox import Arrival, Conflict, Ingested, Key, ingest

Status = Literal["accepted", "duplicate"]
Outcomes = Mapping[Key, Status | PermanentError]

MOST_WAITING = 10_000
MOST_IN_BATCH = 500
LANES = 2
CROWD = 32
"""So many do not wait for the window, and are worth a second lane: while one waits for the disk,
the next is on its way."""
TRIES = 4
"""A conflict is over as soon as the other transaction is."""
RETRY_SECONDS = 5.0


class Store(Protocol):
    """Stores arrivals with distinct keys, all or nothing; see `store.inbox.ingest`."""

    async def __call__(self, arrivals: Sequence[Arrival], /) -> Ingested: ...


Lane = Callable[[], AbstractAsyncContextManager[Store]]
"""One batch after the other goes through the same `Store`, until nothing waits."""


def lanes_of(database: Database, clock: Callable[[], datetime]) -> Lane:
    """A lane keeps its connection: taking one from the pool costs as much as a small batch."""

    @asynccontextmanager
    async def lane() -> AsyncIterator[Store]:
        async with database.connection() as conn:

            async def store(arrivals: Sequence[Arrival]) -> Ingested:
                # One arrival or five hundred: one statement, which is its own transaction.
                return await ingest(conn, arrivals, now=clock())

            yield store

    return lane


class _Waiting(NamedTuple):
    key: Key
    arrival: Arrival
    outcome: asyncio.Future[Status]


class GroupCommit:
    """`add` returns when its delivery is committed; others' troubles are not its own.

    Batches run in tasks of this object, so a client that goes away cancels no commit of others.
    """

    def __init__(
        self,
        lane: Lane,
        *,
        window: float,
        on_raised: Callable[[], None],
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._lane = lane
        self._window = window
        self._on_raised = on_raised
        self._most_waiting = most_waiting
        self._queue: deque[_Waiting] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def add(self, arrival: Arrival) -> Status:
        """Errors: `TransientError` (not committed, or nobody knows: send it again, the same
        delivery is stored once), `PermanentError` (this one can never be stored)."""
        if self._closed or len(self._queue) >= self._most_waiting:
            raise TransientError("inbox_full", retry_after=RETRY_SECONDS)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(arrival.key, arrival, loop.create_future())
        self._queue.append(waiting)
        if len(self._queue) >= CROWD and len(self._running) < LANES:
            self._start()
        elif self._timer is None and not self._running:
            self._timer = loop.call_later(self._window, self._start)
        return await waiting.outcome

    async def aclose(self) -> None:
        """Commit what was taken in; nothing more is."""
        self._closed = True
        while self._queue or self._running:
            if not self._running:
                self._start()
            await asyncio.wait(self._running)

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        task = asyncio.get_running_loop().create_task(self._drain(self._take()))
        self._running.add(task)
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._queue and not self._running:
            self._start()

    async def _drain(self, batch: Sequence[_Waiting]) -> None:
        """Commit *batch*, then batch after batch until nothing waits."""
        try:
            async with self._lane() as store:
                while batch:
                    firsts = {waiting.key: waiting for waiting in reversed(batch)}
                    arrivals = [first.arrival for first in firsts.values()]
                    _answer(batch, firsts, await self._committed(store, arrivals))
                    batch = self._take()
        except Exception as error:  # whatever it is, every client gets an answer
            for waiting in batch:
                if not waiting.outcome.done():
                    waiting.outcome.set_exception(_transient(error))

    def _take(self) -> list[_Waiting]:
        size = min(len(self._queue), MOST_IN_BATCH)
        return [self._queue.popleft() for _ in range(size)]

    async def _committed(self, store: Store, arrivals: Sequence[Arrival]) -> Outcomes:
        """Together; and where one cannot be stored, each on its own, so that only it is refused."""
        try:
            ingested = await _stored(store, arrivals)
        except PermanentError as error:
            if len(arrivals) == 1:
                return {arrivals[0].key: error}
            singly: dict[Key, Status | PermanentError] = {}
            for arrival in arrivals:
                singly.update(await self._committed(store, [arrival]))
            return singly
        if ingested.raised:
            self._on_raised()
        known = ingested.known
        return {a.key: "duplicate" if a.key in known else "accepted" for a in arrivals}


async def _stored(store: Store, arrivals: Sequence[Arrival]) -> Ingested:
    for _ in range(TRIES - 1):
        try:
            return await store(arrivals)
        except Conflict:
            continue
    return await store(arrivals)


def _answer(batch: Sequence[_Waiting], firsts: Mapping[Key, _Waiting], outcomes: Outcomes) -> None:
    """Of equal keys the first one counts, and the others are its duplicates."""
    for waiting in batch:
        outcome = outcomes[waiting.key]
        if waiting.outcome.done():
            continue  # its client went away
        if isinstance(outcome, PermanentError):
            waiting.outcome.set_exception(outcome)
        else:
            counts = firsts[waiting.key] is waiting
            waiting.outcome.set_result(outcome if counts else "duplicate")


def _transient(error: Exception) -> TransientError:
    if isinstance(error, TransientError):
        return TransientError(error.code, error.detail, retry_after=RETRY_SECONDS)
    return TransientError("ingest_failed", type(error).__name__, retry_after=RETRY_SECONDS)
