"""SIGTERM lets what is under way end; a second one does not wait for it. Neither loses anything."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest

from app.sandbox.outbox import signature
from tests.scenarios.processes import oracle
from tests.scenarios.processes.test_worker_ends import LINKS, in_the_middle
from tests.support.operator import Operator
from tests.support.processes import Process, Processes
from tests.support.twinsites import SECRET, on_air
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

DELIVERIES = [f"delivery-{number}" for number in range(40)]
AT_ONCE = 8.0
"""Seconds, on a machine that others use too. What is under way would take longer."""
BEFORE_IT_IS_KILLED = 29.0
"""Seconds that an orchestrator grants."""
BODY = (
    b'{"timestamp":1,"webhookEvent":"issuelink_created","issueLink":{"id":1,"sourceIssueId":2,'
    b'"destinationIssueId":3,"issueLinkType":{"id":4},"systemLink":false}}'
)


@asynccontextmanager
async def _inbox_locked(superuser: asyncpg.Connection) -> AsyncIterator[None]:
    """Whatever is to be stored has to wait inside the block."""
    async with superuser.transaction():
        await superuser.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        yield


async def _send(api: Process, identifier: str) -> int:
    """The answer's status; 0 where there was none."""
    body = BODY.replace(b'"id":1,', f'"id":1{identifier.rpartition("-")[2]},'.encode())
    headers = {
        "X-Hub-Signature": signature(SECRET, body),
        "X-Atlassian-Webhook-Identifier": identifier,
        "Content-Type": "application/json",
    }
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        try:
            url = f"{api.url}/webhooks/jira/left"
            return (await client.post(url, content=body, headers=headers)).status_code
        except httpx.TransportError:
            return 0


def _send_all(api: Process) -> "list[asyncio.Task[int]]":
    return [asyncio.create_task(_send(api, identifier)) for identifier in DELIVERIES]


async def _waits(superuser: asyncpg.Connection) -> bool:
    """Somebody is kept from the inbox by our lock."""
    waiting: bool = await superuser.fetchval(
        "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE relation = 'inbox'::regclass AND NOT granted)"
    )
    return waiting


async def _deaf(api: Process) -> bool:
    """It takes no new connections: it has heard the signal."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            await client.get(f"{api.url}/healthz")
    except httpx.TransportError:
        return True
    return False


async def _stored(superuser: asyncpg.Connection) -> Sequence[str]:
    rows = await superuser.fetch("SELECT delivery FROM inbox ORDER BY delivery")
    return [row["delivery"] for row in rows]


@asynccontextmanager
async def _taking_in(
    processes: Processes, superuser: asyncpg.Connection
) -> AsyncIterator[tuple[Process, "list[asyncio.Task[int]]"]]:
    """An API that has taken deliveries in, has heard SIGTERM, and cannot store them yet."""
    async with on_air(2) as sites:
        api = await processes.api()
        async with Operator(api.url) as operator:
            await operator.connect(sites)
        async with _inbox_locked(superuser):
            sending = _send_all(api)
            await until(lambda: _waits(superuser), "a batch on its way")
            api.send(signal.SIGTERM)
            await until(lambda: _deaf(api), "no more connections")
            yield api, sending


async def test_an_api_answers_what_it_has_taken_in(
    processes: Processes, superuser: asyncpg.Connection
) -> None:
    async with _taking_in(processes, superuser) as (api, sending):
        assert not any(it.done() for it in sending)
    assert await asyncio.gather(*sending) == [202] * len(DELIVERIES)
    assert await asyncio.wait_for(api.process.wait(), 30) == 0
    assert await _stored(superuser) == sorted(DELIVERIES)


@pytest.mark.soak
async def test_told_twice_an_api_answers_nobody_and_loses_nothing(
    processes: Processes, superuser: asyncpg.Connection
) -> None:
    async with _taking_in(processes, superuser) as (api, sending):
        api.send(signal.SIGTERM)
        await asyncio.wait_for(api.process.wait(), AT_ONCE)
        assert await asyncio.gather(*sending) == [0] * len(DELIVERIES)
    # Jira sends them again, and each counts once, whatever had been stored.
    successor = await processes.api()
    assert await asyncio.gather(*_send_all(successor)) == [202] * len(DELIVERIES)
    assert await _stored(superuser) == sorted(DELIVERIES)


@pytest.mark.soak
async def test_an_api_ends_in_time_though_postgresql_does_not_answer(
    processes: Processes, superuser: asyncpg.Connection
) -> None:
    async with _taking_in(processes, superuser) as (api, sending):
        await asyncio.wait_for(api.process.wait(), BEFORE_IT_IS_KILLED)
        answers = await asyncio.gather(*sending)
        assert all(it == 0 or it >= 500 for it in answers), "Jira is to send them again"
    successor = await processes.api()
    assert await asyncio.gather(*_send_all(successor)) == [202] * len(DELIVERIES)
    assert await _stored(superuser) == sorted(DELIVERIES)


@pytest.mark.soak
async def test_told_twice_a_worker_leaves_its_writes_to_the_next(
    processes: Processes, db: asyncpg.Pool
) -> None:
    async with on_air(LINKS + 1) as sites:
        api = await processes.api()
        async with Operator(api.url) as operator:
            worker, turnstile = await in_the_middle(processes, operator, sites, api)
            worker.send(signal.SIGTERM)
            assert (await operator.status())["in_flight"] > 0, "it stopped before its writes did"
            worker.send(signal.SIGTERM)
            await asyncio.wait_for(worker.process.wait(), AT_ONCE)
            await turnstile.open()
            assert await db.fetchval("SELECT count(*) FROM intents WHERE state = 'open'") > 0

            await processes.worker()
            # Nobody confirms an intent in its first forty seconds; these are old enough.
            await db.execute(
                """UPDATE intents SET confirm_after = now() - interval '1 s',
                       created_at = created_at - interval '41 s'
                   WHERE state = 'open'"""
            )
            await db.execute("UPDATE work SET lease_until = now() WHERE lease_until IS NOT NULL")
            await operator.settled(sites)
            oracle.check(sites, await operator.audit())


@pytest.mark.soak
async def test_a_drain_ends_in_time_though_jira_does_not_answer(
    processes: Processes, db: asyncpg.Pool
) -> None:
    async with on_air(LINKS + 1) as sites:
        api = await processes.api()
        async with Operator(api.url) as operator:
            worker, turnstile = await in_the_middle(
                processes, operator, sites, api, jira_timeout_seconds=30
            )
            assert await worker.end(signal.SIGTERM, seconds=BEFORE_IT_IS_KILLED) == 0
            await turnstile.open()
            await processes.worker()
            await operator.settled(sites, seconds=180)
            oracle.check(sites, await operator.audit())
