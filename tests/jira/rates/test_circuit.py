"""A Jira that fails is left alone, by all workers, and asked by one whether it is back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from app.core.errors import NotSent, TransientError, TwinlinkError
from app.core.links import IssueId, TypeId
from app.embedded import ValkeyServer
from app.jira.client import BasicAuth, JiraClient, SiteAccess
from app.jira.http.options import Options
from app.jira.rates.budget import Grant
from app.jira.rates.circuit import GO, PROBING, Admission, Circuit, Heard, LocalCircuit, Rule
from app.jira.rates.circuit_shared import SharedCircuit
from tests.jira.http.test_transport import RecordingBudget
from tests.support.assured import assured
from tests.support.waiting import until

QUICK = Rule(least=3, window=5.0, first=0.2, longest=1.0, probe=5.0)


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def fail(circuit: Circuit, times: int = 3) -> None:
    for _ in range(times):
        await circuit.report(1, GO, "failed")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture(params=["local", "shared"])
def circuit(request: pytest.FixtureRequest, redis: Redis) -> Circuit:
    return LocalCircuit(QUICK) if request.param == "local" else SharedCircuit(redis, QUICK)


async def lapsed(circuit: Circuit) -> None:
    await until(lambda: circuit.left(1) == 0, "an open circuit's time to be over")


async def test_it_opens_after_failures_and_for_that_site_only(circuit: Circuit) -> None:
    await fail(circuit, 2)
    assert await circuit.admit(1, write=True) == GO
    await fail(circuit, 1)
    refused = await circuit.admit(1, write=False)
    assert refused.wait is not None
    assert 0 < refused.wait <= 0.2 * 1.25
    assert circuit.left(1) > 0
    assert (await circuit.view(1)).state == "open"
    assert await circuit.admit(2, write=True) == GO
    assert (await circuit.view(2)).state == "closed"


async def test_it_stays_closed_while_most_calls_are_answered(circuit: Circuit) -> None:
    await fail(circuit, 1)
    for _ in range(10):
        await circuit.report(1, GO, "answered")
    await fail(circuit, 8)
    assert (await circuit.admit(1, write=False)).wait is None
    await fail(circuit, 1)
    assert (await circuit.admit(1, write=False)).wait is not None


async def test_half_open_lets_one_read_through_and_no_write(circuit: Circuit) -> None:
    await fail(circuit)
    await lapsed(circuit)
    assert (await circuit.view(1)).state == "half_open"
    assert (await circuit.admit(1, write=True)).wait == PROBING
    probe = await circuit.admit(1, write=False)
    assert probe.wait is None
    assert (await circuit.admit(1, write=False)).wait == PROBING
    await circuit.report(1, probe, "answered")
    assert await circuit.admit(1, write=True) == GO
    assert (await circuit.view(1)).state == "closed"


async def test_a_probe_that_fails_opens_it_for_longer(circuit: Circuit) -> None:
    await fail(circuit)
    waits = [circuit.left(1)]
    for _ in range(2):
        await lapsed(circuit)
        probe = await circuit.admit(1, write=False)
        await circuit.report(1, probe, "failed")
        waits.append(circuit.left(1))
    assert waits[0] <= 0.25 < waits[1] <= 0.5 < waits[2] <= 1.0


async def test_a_probe_that_was_cancelled_makes_room(circuit: Circuit) -> None:
    await fail(circuit)
    await lapsed(circuit)
    probe = await circuit.admit(1, write=False)
    await circuit.report(1, probe, "nothing")
    assert (await circuit.admit(1, write=False)).wait is None


async def test_what_began_before_it_opened_says_nothing(circuit: Circuit) -> None:
    await fail(circuit)
    await circuit.report(1, GO, "answered")
    assert circuit.left(1) > 0
    left = circuit.left(1)
    await circuit.report(1, GO, "failed")
    assert circuit.left(1) <= left


@given(st.lists(st.sampled_from(["failed", "answered", "nothing", "wait", "ask"]), max_size=80))
def test_never_two_probes_and_never_shut_for_good(steps: list[str]) -> None:
    clock = Hand()
    probes: list[Admission] = []
    circuit = LocalCircuit(QUICK, clock=clock)
    heard: dict[str, Heard] = {"failed": "failed", "answered": "answered", "nothing": "nothing"}
    for step in steps:
        if step in heard:
            admission = probes.pop() if probes else GO
            circuit.hear(1, heard[step], probe=admission.probe)
        elif step == "wait":
            clock.now += 0.3
        elif (admission := circuit.judge(1, write=False)).probe:
            probes.append(admission)
        assert len(probes) <= 1
        assert circuit.left(1) <= QUICK.longest * 1.25
    clock.now += QUICK.longest * 1.25 + QUICK.probe
    assert circuit.judge(1, write=False).wait is None


def test_the_time_open_has_chance_and_an_end() -> None:
    rule = Rule()
    first = {rule.time_open(1) for _ in range(50)}
    assert len(first) > 1
    assert all(1.5 <= seconds <= 2.5 for seconds in first)
    assert 90 <= rule.time_open(1000) <= 150


async def test_what_one_worker_sees_holds_for_all(redis: Redis) -> None:
    workers = [SharedCircuit(redis, QUICK) for _ in range(3)]
    for worker in workers:
        await worker.report(1, GO, "failed")
    newcomer = SharedCircuit(redis, QUICK)
    refused = [await worker.admit(1, write=True) for worker in (*workers[:2], newcomer)]
    assert all(it.wait is not None for it in refused)
    await lapsed(newcomer)
    asked = [await worker.admit(1, write=False) for worker in (*workers, newcomer)]
    probes = [it for it in asked if it.wait is None]
    assert len(probes) == 1
    worker = (*workers, newcomer)[asked.index(probes[0])]
    await worker.report(1, probes[0], "answered")
    for other in workers:
        assert await let_in(other)


async def let_in(circuit: Circuit) -> bool:
    """Whether a call goes now; a probe, where it is one, is answered."""
    await lapsed(circuit)
    admission = await circuit.admit(1, write=False)
    if admission.wait is None:
        await circuit.report(1, admission, "answered")
    return admission.wait is None


async def test_a_flush_opens_nothing_that_a_worker_remembers(redis: Redis) -> None:
    slow = Rule(least=3, first=30.0)
    circuit = SharedCircuit(redis, slow)
    await fail(circuit)
    await redis.flushdb()
    assert (await circuit.admit(1, write=False)).wait is not None


async def test_after_a_flush_a_worker_still_probes_before_it_trusts(redis: Redis) -> None:
    circuit = SharedCircuit(redis, QUICK)
    await fail(circuit)
    await redis.flushdb()
    await lapsed(circuit)
    probe = await circuit.admit(1, write=False)
    assert probe.probe
    assert (await circuit.admit(1, write=False)).wait == PROBING
    await circuit.report(1, probe, "answered")
    assert (await circuit.admit(1, write=True)).wait is None


async def test_without_redis_each_worker_has_its_own(own_valkey: ValkeyServer) -> None:
    async with Redis.from_url(own_valkey.url) as client:
        circuit = SharedCircuit(client, QUICK)
        own_valkey.stop()
        assert (await circuit.admit(1, write=True)).wait is None
        await fail(circuit)
        assert (await circuit.admit(1, write=False)).wait is not None
        view = await circuit.view(1)
        assert (view.state, view.certain) == ("open", False)
        assert await let_in(circuit)
        assert (await circuit.view(1)).state == "closed"


# The client's side of it

Answer = Callable[[httpx.Request], httpx.Response]


class OneSite:
    """A client whose Jira answers as told, with a circuit of its own."""

    def __init__(self, answer: Answer, circuit: Circuit | None = None, **options: Any) -> None:
        self.asked: list[str] = []
        self.answer = answer
        self.budget = RecordingBudget()
        self.circuit = circuit or LocalCircuit(QUICK)
        site = SiteAccess(1, "left", "https://left.example", "cloud", BasicAuth("a@b.c", "token"))
        http = httpx.MockTransport(self._handle)
        self.client = assured(
            JiraClient(
                site, Options(budget=self.budget, circuit=self.circuit, **options), http=http
            )
        )

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.method)
        return self.answer(request)

    async def read(self) -> str:
        try:
            await self.client.link_types()
        except TransientError as error:
            return error.code
        return "ok"

    async def write(self) -> str:
        try:
            await self.client.create_link(TypeId("7"), IssueId("11"), IssueId("12"))
        except TwinlinkError as error:
            return error.code
        return "ok"


def status(code: int) -> Answer:
    return lambda _: httpx.Response(code, json={"issueLinkTypes": []})


def refuse(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("")


def time_out(_: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("")


def drop(_: httpx.Request) -> httpx.Response:
    raise httpx.RemoteProtocolError("")


@pytest.mark.parametrize("answer", [status(500), status(503), refuse, time_out, drop])
async def test_a_failing_jira_is_called_no_more(answer: Answer) -> None:
    site = OneSite(answer)
    for _ in range(3):
        assert await site.read() not in {"ok", "circuit_open"}
    taken = len(site.budget.taken)
    assert await site.read() == "circuit_open"
    assert await site.write() == "circuit_open"
    assert site.asked == ["GET"] * 3
    assert len(site.budget.taken) == taken, "a refused call costs no turn"


@pytest.mark.parametrize("answer", [status(code) for code in (400, 404, 408, 409, 429)])
async def test_4xx_and_429_do_not_open_it(answer: Answer) -> None:
    site = OneSite(answer)
    for _ in range(30):
        await site.write()
    assert len(site.asked) == 30


async def test_a_refused_write_is_not_sent_and_says_when_to_come_back() -> None:
    site = OneSite(status(500))
    await fail(site.circuit)
    with pytest.raises(NotSent) as caught:
        await site.client.create_link(TypeId("7"), IssueId("11"), IssueId("12"))
    assert caught.value.code == "circuit_open"
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 0.25
    assert site.asked == []


async def test_a_circuit_that_opens_while_a_write_waits_for_its_turn_stops_it() -> None:
    site = OneSite(status(201))
    take = site.budget.take

    async def trouble(*args: object, **options: object) -> Grant:
        await fail(site.circuit)
        return await take(*args, **options)  # type: ignore[arg-type]

    site.budget.take = trouble  # type: ignore[method-assign]
    assert await site.write() == "circuit_open"
    assert site.asked == []


async def test_a_read_brings_it_back_and_writes_follow() -> None:
    site = OneSite(status(500))
    for _ in range(3):
        await site.read()
    site.answer = status(201)
    await lapsed(site.circuit)
    assert await site.write() == "circuit_open", "a write is no probe"
    site.answer = status(200)
    assert await site.read() == "ok"
    site.answer = status(201)
    assert await site.write() == "ok"


async def test_a_cancelled_probe_leaves_room_for_the_next() -> None:
    site = OneSite(status(500))
    await fail(site.circuit)
    await lapsed(site.circuit)
    reached = asyncio.Event()

    async def never(_: httpx.Request) -> httpx.Response:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody lets it go on")

    stuck = JiraClient(
        site.client.site, Options(circuit=site.circuit), http=httpx.MockTransport(never)
    )
    task = asyncio.create_task(stuck.link_types())
    await reached.wait()
    assert await site.read() == "circuit_open"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    site.answer = status(200)
    assert await site.read() == "ok"


class Late(LocalCircuit):
    """Takes its time to admit: longer than a write may wait."""

    def __init__(self, pass_time: Callable[[], None]) -> None:
        super().__init__(QUICK)
        self._pass_time = pass_time

    async def admit(self, site: int, *, write: bool) -> Admission:
        self._pass_time()
        return await super().admit(site, write=write)


async def test_the_last_look_at_the_clock_comes_after_the_circuit() -> None:
    now = datetime(2025, 8, 29, 16, 0, tzinfo=UTC)

    def pass_time() -> None:
        nonlocal now
        now += timedelta(seconds=11)

    site = OneSite(status(201), Late(pass_time), now=lambda: now)
    with pytest.raises(NotSent) as caught:
        await site.client.create_link(
            TypeId("7"), IssueId("11"), IssueId("12"), send_before=now + timedelta(seconds=10)
        )
    assert (caught.value.code, site.asked) == ("send_before_passed", [])
