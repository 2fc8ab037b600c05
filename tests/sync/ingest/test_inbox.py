"""Group commit: who gets which answer, whatever happens to the others."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import pytest

from app.core.errors import PermanentError, TransientError
from app.store.pool import Database, open_pool
from app.store.queue.inbox import Arrival, Conflict, Ingested, Key
from app.sync.ingest.group_commit import CROWD, MOST_IN_BATCH, TRIES, GroupCommit, lanes_of
from app.sync.ingest.inbox import delivery_id
from tests.support.deliveries import World, build_world

LONG = 3600.0
"""A window that no test waits for: batches begin by number."""


class Disk:
    """A store with memory. `open` lets batches through; `fails` raises for a batch."""

    def __init__(self) -> None:
        self.stored: set[Key] = set()
        self.batches: list[list[Arrival]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.arrived = asyncio.Event()
        self.lanes = self.most_lanes = 0
        self.fails: Callable[[Sequence[Arrival]], Exception | None] = lambda _: None

    @asynccontextmanager
    async def lane(self) -> AsyncIterator["Disk"]:
        self.lanes += 1
        self.most_lanes = max(self.lanes, self.most_lanes)
        try:
            yield self
        finally:
            self.lanes -= 1

    async def __call__(self, arrivals: Sequence[Arrival], /) -> Ingested:
        self.batches.append(list(arrivals))
        self.arrived.set()
        await self.open.wait()
        if (error := self.fails(arrivals)) is not None:
            raise error
        keys = {arrival.key for arrival in arrivals}
        known, self.stored = frozenset(keys & self.stored), self.stored | keys
        return Ingested(known, raised=len(known) < len(keys))


class Group:
    """A `GroupCommit` on a `Disk`, with the wake-ups counted."""

    def __init__(self, *, window: float = 0.0, most_waiting: int = 10_000) -> None:
        self.disk = Disk()
        self.wakes = 0
        self.commits = GroupCommit(
            self.disk.lane, window=window, on_raised=self._wake, most_waiting=most_waiting
        )

    def _wake(self) -> None:
        self.wakes += 1

    def add(self, delivery: object) -> "asyncio.Task[str]":
        return asyncio.create_task(self.commits.add(arrival(str(delivery))))

    async def answers(self, *deliveries: object) -> list[str | BaseException]:
        tasks = [self.add(delivery) for delivery in deliveries]
        return list(await asyncio.gather(*tasks, return_exceptions=True))


def arrival(delivery: str, site: int = 1) -> Arrival:
    return Arrival(site, delivery, "link_created", source_id=100, destination_id=101)


async def test_deliveries_of_the_same_moment_share_a_batch() -> None:
    group = Group()
    assert await group.answers("a", "b", "c") == ["accepted"] * 3
    assert [len(batch) for batch in group.disk.batches] == [3]
    assert group.wakes == 1


async def test_duplicates_inside_a_batch_and_across_batches() -> None:
    group = Group()
    assert await group.answers("a", "a", "b", "a") == [
        "accepted",
        "duplicate",
        "accepted",
        "duplicate",
    ]
    assert await group.answers("b", "a") == ["duplicate", "duplicate"]
    assert group.wakes == 1, "what was known raises nothing"


async def test_a_crowd_does_not_wait_for_the_window() -> None:
    group = Group(window=LONG)
    assert await group.answers(*range(CROWD)) == ["accepted"] * CROWD


async def test_who_comes_during_a_batch_goes_with_the_next() -> None:
    group = Group()
    group.disk.open.clear()
    first = group.add("a")
    await group.disk.arrived.wait()
    others = [group.add(n) for n in range(3)]
    await asyncio.sleep(0)
    group.disk.open.set()
    assert await asyncio.gather(first, *others) == ["accepted"] * 4
    assert [len(batch) for batch in group.disk.batches] == [1, 3]


async def test_batches_and_lanes_have_bounds() -> None:
    group = Group()
    group.disk.open.clear()
    tasks = [group.add(n) for n in range(3 * MOST_IN_BATCH)]
    await group.disk.arrived.wait()
    group.disk.open.set()
    assert set(await asyncio.gather(*tasks)) == {"accepted"}
    assert max(len(batch) for batch in group.disk.batches) == MOST_IN_BATCH
    assert group.disk.most_lanes == 2


async def test_only_the_poisonous_one_is_refused() -> None:
    group = Group()
    poison = PermanentError("delivery_unstorable")
    group.disk.fails = lambda batch: poison if any(a.delivery == "x" for a in batch) else None
    answers = await group.answers("a", "x", "b", "x", "a")
    assert answers == ["accepted", poison, "accepted", poison, "duplicate"]
    assert {delivery for _, delivery in group.disk.stored} == {"a", "b"}


async def test_a_store_that_goes_away_is_everybodys_503_and_comes_back() -> None:
    group = Group()
    group.disk.fails = lambda _: TransientError("database_unavailable")
    answers = await group.answers("a", "b")
    assert all(isinstance(answer, TransientError) and answer.retry_after for answer in answers)
    group.disk.fails = lambda _: None
    assert await group.answers("a", "b") == ["accepted", "accepted"]


async def test_an_unknown_error_is_answered_too() -> None:
    group = Group()
    group.disk.fails = lambda _: ZeroDivisionError()
    (answer,) = await group.answers("a")
    assert isinstance(answer, TransientError)
    assert answer.code == "ingest_failed"


async def test_conflicts_are_tried_again_and_not_for_ever() -> None:
    group = Group()
    left = [Conflict("ingest_conflict")] * (TRIES - 1)
    group.disk.fails = lambda _: left.pop() if left else None
    assert await group.answers("a") == ["accepted"]
    group.disk.fails = lambda _: Conflict("ingest_conflict")
    (answer,) = await group.answers("b")
    assert isinstance(answer, TransientError)
    assert len(group.disk.batches) == 2 * TRIES


async def test_a_client_that_leaves_takes_nobodys_commit_along() -> None:
    group = Group()
    group.disk.open.clear()
    leaving, staying = group.add("a"), group.add("b")
    await group.disk.arrived.wait()
    leaving.cancel()
    group.disk.open.set()
    assert await staying == "accepted"
    assert {delivery for _, delivery in group.disk.stored} == {"a", "b"}
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_too_many_waiting_is_said_at_once() -> None:
    group = Group(window=LONG, most_waiting=2)
    waiting = [group.add("a"), group.add("b")]
    (answer,) = await group.answers("c")
    assert isinstance(answer, TransientError)
    assert (answer.code, answer.retry_after) == ("inbox_full", 5.0)
    await group.commits.aclose()
    assert await asyncio.gather(*waiting) == ["accepted", "accepted"]


async def test_closing_commits_what_was_taken_in_and_takes_no_more() -> None:
    group = Group(window=LONG)
    waiting = group.add("a")
    await asyncio.sleep(0)
    await group.commits.aclose()
    assert await waiting == "accepted"
    (answer,) = await group.answers("b")
    assert isinstance(answer, TransientError)


@pytest.fixture
async def opened(db_url: str) -> AsyncIterator[Database]:
    opened = Database(await open_pool(db_url))
    yield opened
    await opened.close()


def commits_on(database: Database) -> GroupCommit:
    def clock() -> datetime:
        return datetime.now(UTC)

    return GroupCommit(lanes_of(database, clock), window=0.001, on_raised=lambda: None)


async def test_on_postgres_one_of_many_is_refused(db: asyncpg.Pool, opened: Database) -> None:
    world: World = await build_world(db)
    commits = commits_on(opened)
    arrivals = [arrival(f"d{n}", world.left) for n in range(20)]
    arrivals[7] = arrivals[7]._replace(delivery="with a \x00 in it")
    tasks = [commits.add(it) for it in arrivals]
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    refused = answers.pop(7)
    assert isinstance(refused, PermanentError)
    assert answers == ["accepted"] * 19
    assert await db.fetchval("SELECT count(*) FROM inbox") == 19


async def test_a_closed_pool_is_a_503(db: asyncpg.Pool, opened: Database) -> None:
    world = await build_world(db)
    commits = commits_on(opened)
    await opened.close()
    with pytest.raises(TransientError) as error:
        await commits.add(arrival("d", world.left))
    assert error.value.retry_after


@pytest.mark.parametrize(
    "identifier", [None, "", "x" * 201, "nul\x00", "snow\u2603", "tab\t", "bell\x07"]
)
def test_an_identifier_that_cannot_be_kept_gives_way_to_the_hash(identifier: str | None) -> None:
    hashed = delivery_id(identifier, b"body")
    assert hashed.startswith("sha256:")
    assert hashed != delivery_id(identifier, b"another body")


def test_jiras_identifier_is_kept() -> None:
    assert delivery_id("x" * 200, b"body") == "x" * 200
