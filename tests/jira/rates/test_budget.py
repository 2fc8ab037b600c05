"""The promise of the budgets: no sliding window ever holds more turns than its limit."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import pairwise
from random import Random
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from app.core.links import IssueId
from app.embedded import ValkeyServer
from app.jira.rates.budget import (
    SHARE,
    Ask,
    Budget,
    Limits,
    Turn,
    endpoint_scope,
    issue_scope,
    site_scope,
)
from app.jira.rates.budget_line import Line
from app.jira.rates.budget_local import LocalBudget
from app.jira.rates.budget_shared import SharedBudget
from tests.support.waiting import until

HUB, OTHER = IssueId("11"), IssueId("12")


def most_in(seconds: float, times: Sequence[float]) -> int:
    """The largest number of *times* in any half-open window of so many seconds."""
    ordered = sorted(times)
    start, most = 0, 0
    for end, last in enumerate(ordered):
        while last - ordered[start] >= seconds:
            start += 1
        most = max(most, end - start + 1)
    return most


class SimulatedTime:
    """A clock that jumps to the next sleeper once nobody can run."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), woken))
        await woken.wait()

    async def run(self, *tasks: asyncio.Task[None]) -> None:
        while not all(task.done() for task in tasks):
            for _ in range(20 + 4 * len(tasks)):
                await asyncio.sleep(0)
            if self._sleepers:
                self.now, _, woken = heapq.heappop(self._sleepers)
                woken.set()


class Late:
    """Requests of one budget that leave later than their turns come."""

    def __init__(self, limits: Limits) -> None:
        self.time = SimulatedTime()
        self.budget = LocalBudget(limits, clock=self.time.clock, sleep=self.time.sleep)
        self.left: list[float] = []

    async def one(self, at: float, late: float) -> None:
        await self.time.sleep(at)
        grant = await self.budget.take(1, "issue_link", "POST")
        await self.time.sleep(late)
        grant.sent()
        self.left.append(self.time.now)

    def leave(self, requests: Sequence[tuple[float, float]]) -> list[float]:
        async def run() -> None:
            await self.time.run(*(asyncio.create_task(self.one(*it)) for it in requests))

        asyncio.run(run())
        return sorted(self.left)


Arrival = tuple[float, bool, bool]
"""When it comes, whether it is bulk, whether it writes the hub."""


def simulate(arrivals: Sequence[Arrival], limits: Limits) -> list[tuple[float, bool, bool]]:
    """When each arrival got its turn by a local budget."""

    async def run() -> list[tuple[float, bool, bool]]:
        time = SimulatedTime()
        budget = LocalBudget(limits, clock=time.clock, sleep=time.sleep)
        turns: list[tuple[float, bool, bool]] = []

        async def one(at: float, bulk: bool, hub: bool) -> None:
            await time.sleep(at)
            issues = (HUB, OTHER) if hub else ()
            await budget.take(1, "issue_link", "POST", issues, bulk=bulk)
            turns.append((time.now, bulk, hub))

        await time.run(*(asyncio.create_task(one(*arrival)) for arrival in arrivals))
        return turns

    return asyncio.run(run())


@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.booleans(), st.booleans()),
        max_size=60,
    )
)
def test_no_sliding_window_exceeds_its_limit(arrivals: list[Arrival]) -> None:
    limits = Limits({"POST": 10, "DELETE": 5}, ((2.0, 4), (6.0, 8)))
    turns = simulate(arrivals, limits)
    assert len(turns) == len(arrivals)
    assert most_in(1, [at for at, _, _ in turns]) <= 10
    assert most_in(2, [at for at, _, hub in turns if hub]) <= 4
    assert most_in(6, [at for at, _, hub in turns if hub]) <= 8


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.3, 1.7]), st.sampled_from([0.0, 0.03, 0.4])),
        min_size=20,
        max_size=40,
    )
)
@settings(max_examples=30)
def test_no_sliding_second_exceeds_its_limit_as_requests_leave(
    requests: list[tuple[float, float]],
) -> None:
    left = Late(Limits({"POST": 12, "DELETE": 5})).leave(requests)
    assert len(left) == len(requests)
    assert most_in(1, left) <= 12


def test_requests_that_leave_late_cost_the_rate_little() -> None:
    """One of ten leaves up to 120 ms late: those behind make up for most of it."""
    chance = Random(1)
    requests = [(0.0, max(0.0, chance.uniform(-1.08, 0.12))) for _ in range(250)]
    left = Late(Limits()).leave(requests)
    assert most_in(1, left) <= 100
    assert 249 / (left[-1] - left[0]) >= 0.95 * SHARE * 100


def test_a_full_second_uses_nearly_all_of_the_limit() -> None:
    turns = [at for at, _, _ in simulate([(0.0, True, False)] * 200, Limits())]
    assert max(turns) - min(turns) <= 200 / 100 / 0.9


def test_live_goes_before_bulk() -> None:
    waiting = [(0.0, True, False)] * 100
    live = [(0.5, False, False)] * 20
    turns = simulate([*waiting, *live], Limits({"POST": 20, "DELETE": 5}))
    last_live = max(at for at, bulk, _ in turns if not bulk)
    assert last_live <= 1000 + 0.5 + 21 / 19 + 0.1
    assert sum(1 for at, bulk, _ in turns if bulk and at > last_live) >= 85


def test_live_traffic_that_never_ends_does_not_starve_bulk() -> None:
    live = [(0.0, False, False)] * 120
    bulk = [(0.1, True, False)] * 8
    turns = simulate([*live, *bulk], Limits({"POST": 20, "DELETE": 5}))
    first = [at for at, it, _ in turns if it]
    last_live = max(at for at, it, _ in turns if not it)
    assert 4 <= sum(1 for at in first if at < last_live) <= 0.06 * 128


def test_an_idle_moment_is_made_up_for_within_the_limit() -> None:
    """A third of a second without a request, and the long run is as if there had been none."""
    before, after = [(0.0, False, False)] * 30, [(1.85, False, False)] * 170
    turns = sorted(
        at for at, _, _ in simulate([*before, *after], Limits({"POST": 20, "DELETE": 5}))
    )
    assert turns[30] - turns[29] >= 0.25, "there was an idle moment"
    assert most_in(1, turns) <= 20
    assert 199 / (turns[-1] - turns[0]) >= 0.99 * SHARE * 20


@pytest.mark.parametrize("kind", ["shared", "local"])
async def test_a_turn_that_came_too_late_is_not_lost(redis: Redis, kind: str) -> None:
    """Who wakes up late gives it back, and asks again: the limit is used up all the same."""
    limits = Limits({"GET": 20, "DELETE": 5})
    budget = SharedBudget(redis, limits) if kind == "shared" else LocalBudget(limits)
    line = budget._line
    late: set[object] = set()

    class Drowsy(Line):
        """Everybody finds the first turn that he is granted to be late, whenever it was."""

        async def _granted(self, ask: Ask, answer: object) -> tuple[float, float, Turn]:
            due, leave, turn = await line._granted(ask, answer)  # type: ignore[arg-type]
            if (me := asyncio.current_task()) in late:
                return due, leave, turn
            late.add(me)
            return due - 2.0, leave - 2.0, turn

    budget._line = Drowsy()
    times = await times_of(30, lambda _: budget.take(1, "issue", "GET"))
    assert most_in(1, times) <= 20
    assert max(times) - min(times) <= 30 / 20 / 0.7


def test_the_first_second_of_a_line_makes_up_for_nothing() -> None:
    turns = [at for at, _, _ in simulate([(0.0, False, False)] * 90, Limits())]
    assert max(turns) - min(turns) >= 89 / 96


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=60))
def test_a_sites_rate_holds_for_all_its_calls_together(arrivals: list[tuple[float, bool]]) -> None:
    turns: list[tuple[float, bool]] = []

    async def run() -> None:
        time = SimulatedTime()
        budget = LocalBudget(Limits(), clock=time.clock, sleep=time.sleep)

        async def one(at: float, read: bool) -> None:
            await time.sleep(at)
            call = ("issue", "GET") if read else ("issue_link", "POST")
            await budget.take(1, *call, rate=12)
            turns.append((time.now, read))

        await time.run(*(asyncio.create_task(one(*arrival)) for arrival in arrivals))

    asyncio.run(run())
    assert len(turns) == len(arrivals)
    assert most_in(1, [at for at, _ in turns]) <= 12


def test_a_hot_issue_does_not_hold_the_others() -> None:
    hot = [(0.0, False, True)] * 10
    cold = [(0.1, False, False)] * 5
    turns = simulate([*hot, *cold], Limits({"POST": 100, "DELETE": 5}, ((2.0, 2),)))
    assert max(at for at, _, hub in turns if not hub) < 1000.3
    assert most_in(2, [at for at, _, hub in turns if hub]) == 2


async def times_of(count: int, take: Callable[[int], object]) -> list[float]:
    """When each of *count* concurrent takes got its turn."""
    times: list[float] = []

    async def one(number: int) -> None:
        await take(number)  # type: ignore[misc]
        times.append(monotonic())

    await asyncio.gather(*(one(number) for number in range(count)))
    return times


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


async def test_two_workers_share_one_budget(redis: Redis) -> None:
    limits = Limits({"GET": 100, "DELETE": 50})
    workers = [SharedBudget(redis, limits), SharedBudget(redis, limits)]
    times = await times_of(150, lambda n: workers[n % 2].take(1, "issue", "GET"))
    assert most_in(1, times) <= 100
    assert max(times) - min(times) <= 150 / 100 / 0.85


async def test_two_workers_make_up_for_an_idle_moment_within_the_limit(redis: Redis) -> None:
    limits = Limits({"GET": 40, "DELETE": 50})
    workers = [SharedBudget(redis, limits), SharedBudget(redis, limits)]

    async def some(count: int) -> list[float]:
        return await times_of(count, lambda n: workers[n % 2].take(1, "issue", "GET"))

    before = await some(44)
    await until(lambda: monotonic() - max(before) >= 0.25, "an idle moment")
    times = sorted([*before, *await some(60)])
    assert most_in(1, times) <= 40
    gaps = [later - earlier for earlier, later in pairwise(times[46:60])]
    assert sum(gaps) / len(gaps) < 1 / 40, "it makes up for it"


async def test_two_workers_share_the_limit_of_an_issue(redis: Redis) -> None:
    limits = Limits({"POST": 1000, "DELETE": 50}, ((0.5, 5), (30.0, 100)))
    workers = [SharedBudget(redis, limits), SharedBudget(redis, limits)]
    times = await times_of(12, lambda n: workers[n % 2].take(1, "link", "POST", (HUB, OTHER)))
    assert most_in(0.5, times) <= 5


async def test_an_idle_budget_costs_no_time(redis: Redis) -> None:
    budget = SharedBudget(redis)
    await budget.take(1, "issue", "GET")
    assert (await budget.take(1, "search", "POST")).waited < 0.2


async def test_emptying_redis_lets_nobody_through_early(redis: Redis) -> None:
    limits = Limits({"GET": 60, "DELETE": 50})
    workers = [SharedBudget(redis, limits), SharedBudget(redis, limits)]
    flushed = asyncio.Event()

    async def take(number: int) -> None:
        await workers[number % 2].take(1, "issue", "GET")
        if number == 40:
            await redis.flushdb()
            flushed.set()

    times = await times_of(100, take)
    assert flushed.is_set()
    assert most_in(1, times) <= 60


async def test_writes_of_an_issue_rest_after_a_flush(redis: Redis) -> None:
    limits = Limits({"POST": 1000, "DELETE": 50}, ((0.4, 5), (30.0, 100)))
    workers = [SharedBudget(redis, limits), SharedBudget(redis, limits)]
    times = await times_of(4, lambda n: workers[n % 2].take(1, "link", "POST", (HUB,)))
    await redis.flushdb()
    times += await times_of(4, lambda n: workers[n % 2].take(1, "link", "POST", (HUB,)))
    assert most_in(0.4, times) <= 5


async def test_a_pause_holds_for_all_workers_and_survives_a_flush(redis: Redis) -> None:
    pausing, other = SharedBudget(redis), SharedBudget(redis)
    await pausing.pause(1, endpoint_scope("issue", "GET"), 0.4)
    assert (await other.take(1, "issue", "GET")).waited > 0.2
    await pausing.pause(1, site_scope(), 0.4)
    await redis.flushdb()
    assert (await pausing.take(1, "search", "POST")).waited > 0.2


async def test_a_pause_holds_what_it_names_only(redis: Redis) -> None:
    budget = SharedBudget(redis)
    await budget.pause(1, issue_scope(HUB), 60)
    await budget.pause(1, endpoint_scope("issue", "GET"), 60)
    assert (await budget.take(1, "link", "POST", (OTHER,))).waited < 0.5
    assert (await budget.take(2, "issue", "GET")).waited < 0.5


async def test_a_longer_pause_stays(redis: Redis) -> None:
    pausing, other = SharedBudget(redis), SharedBudget(redis)
    await pausing.pause(1, site_scope(), 0.5)
    await pausing.pause(1, site_scope(), 0.01)
    assert (await other.take(1, "issue", "GET")).waited > 0.3


async def test_what_left_late_counts_from_then_for_every_worker(redis: Redis) -> None:
    limits = Limits({"GET": 20, "DELETE": 5})
    one, other = SharedBudget(redis, limits), SharedBudget(redis, limits)
    grants = [await one.take(1, "issue", "GET") for _ in range(20)]
    for grant in grants:
        grant.moved(0.3)
    assert one._telling is not None
    await one._telling
    started = monotonic()
    times = await times_of(10, lambda _: other.take(1, "issue", "GET"))
    assert min(times) >= grants[0].due + 1.3
    assert monotonic() - started <= 2, "and no longer"


@pytest.mark.parametrize("kind", ["shared", "local"])
async def test_a_hint_counts_what_left_before_its_request(redis: Redis, kind: str) -> None:
    """A slow answer to a worker that has sent nothing since: we are the reason all the same."""
    limits = Limits({"GET": 40, "DELETE": 5})
    budget: Budget = SharedBudget(redis, limits) if kind == "shared" else LocalBudget(limits)
    before = await times_of(40, lambda _: budget.take(1, "issue", "GET"))
    await until(lambda: monotonic() - max(before) >= 0.6, "an idle moment")
    await budget.slow(1, "issue", "GET", ago=0.6)
    times = await times_of(12, lambda _: budget.take(1, "issue", "GET"))
    assert max(times) - min(times) <= 11 / 40 / 0.8


@pytest.mark.parametrize("kind", ["shared", "local"])
async def test_near_the_limit_the_rate_is_halved(redis: Redis, kind: str) -> None:
    limits = Limits({"GET": 40, "DELETE": 5})
    budget: Budget = SharedBudget(redis, limits) if kind == "shared" else LocalBudget(limits)
    await budget.slow(1, "issue", "GET")
    times = await times_of(12, lambda _: budget.take(1, "issue", "GET"))
    assert max(times) - min(times) >= 0.9 * 11 / 20


@pytest.mark.parametrize("kind", ["shared", "local"])
async def test_a_turn_that_was_given_back_at_the_socket_is_not_lost(
    redis: Redis, kind: str
) -> None:
    """All of a second's turns were: the second is there for others."""
    limits = Limits({"GET": 20, "DELETE": 5})
    budget = SharedBudget(redis, limits) if kind == "shared" else LocalBudget(limits)
    grants = [await budget.take(1, "issue", "GET") for _ in range(20)]
    for grant in grants:
        grant.moved(None)
    if isinstance(budget, SharedBudget):
        assert budget._telling is not None
        await budget._telling
    times = await times_of(20, lambda _: budget.take(1, "issue", "GET"))
    assert min(times) < grants[0].due + 1.03
    assert most_in(1, times) <= 20


@pytest.mark.parametrize(("ago", "after"), [(0.0, 60), (1.0, 130)])
@pytest.mark.parametrize("kind", ["shared", "local"])
async def test_near_a_limit_that_we_use_up_ourselves_it_stays_used(
    redis: Redis, kind: str, ago: float, after: int
) -> None:
    limits = Limits({"GET": 60, "DELETE": 5})
    budget: Budget = SharedBudget(redis, limits) if kind == "shared" else LocalBudget(limits)

    async def take(number: int) -> None:
        await budget.take(1, "issue", "GET")
        if number > after:
            await budget.slow(1, "issue", "GET", ago=ago)

    times = sorted(await times_of(after + 50, take))
    assert most_in(1, times) <= 60
    assert times[-1] - times[after + 5] <= 44 / 60 / 0.8


@pytest.mark.parametrize("kind", ["shared", "local"])
async def test_after_two_refusals_the_rate_is_halved_whoever_it_was(
    redis: Redis, kind: str
) -> None:
    limits = Limits({"GET": 40, "DELETE": 5})
    budget: Budget = SharedBudget(redis, limits) if kind == "shared" else LocalBudget(limits)
    await times_of(42, lambda _: budget.take(1, "issue", "GET"))
    for _ in range(4):
        await budget.slow(1, "issue", "GET", paused=0.05)
    times = await times_of(12, lambda _: budget.take(1, "issue", "GET"))
    took = max(times) - min(times)
    assert took <= 11 / 40 / 0.7, "refusals of one moment are one, and may be chance"
    await budget.slow(1, "issue", "GET", paused=0.05)
    times = await times_of(12, lambda _: budget.take(1, "issue", "GET"))
    assert max(times) - min(times) >= 0.9 * 11 / 20


async def test_two_workers_share_the_rate_of_a_site(redis: Redis) -> None:
    workers = [SharedBudget(redis), SharedBudget(redis)]
    calls = [("issue", "GET"), ("search", "POST"), ("issue_link", "DELETE")]
    times = await times_of(60, lambda n: workers[n % 2].take(1, *calls[n % 3], rate=40))
    assert most_in(1, times) <= 40
    assert max(times) - min(times) <= 60 / 40 / 0.85


async def test_a_crowd_of_live_requests_lets_some_bulk_through(redis: Redis) -> None:
    budget = SharedBudget(redis, Limits({"GET": 60, "DELETE": 5}))
    live = [asyncio.create_task(budget.take(1, "issue", "GET")) for _ in range(90)]
    bulk = asyncio.create_task(budget.take(1, "issue", "GET", bulk=True))
    await bulk
    assert sum(task.done() for task in live) < 60
    await asyncio.gather(*live)


async def test_without_redis_each_worker_keeps_to_its_share(own_valkey: ValkeyServer) -> None:
    async with Redis.from_url(own_valkey.url) as client:
        budget = SharedBudget(client, Limits({"GET": 80, "DELETE": 50}))
        await budget.take(1, "issue", "GET")
        own_valkey.stop()
        times = await times_of(8, lambda _: budget.take(1, "issue", "GET"))
    assert max(times) - min(times) >= 0.6
