"""Redis may go, come back empty or never be there; PostgreSQL may restart. Nothing is lost."""

from pathlib import Path

import asyncpg
import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from app.embedded import PostgresServer, ValkeyServer, bootstrap_roles
from app.sandbox.outbox import signature
from app.settings import Settings
from app.store.migrations.run import migrate
from tests.scenarios.processes import oracle
from tests.support.operator import Operator
from tests.support.processes import Process, Processes, ask, free_port
from tests.support.twinsites import SECRET, TwinSites, on_air
from tests.support.waiting import until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(240)]

BODY = (
    b'{"timestamp":1,"webhookEvent":"issuelink_created","issueLink":{"id":1,"sourceIssueId":2,'
    b'"destinationIssueId":3,"issueLinkType":{"id":4},"systemLink":false}}'
)


def _links(sites: TwinSites, kind: str, *, side: int = 0, count: int = 10) -> None:
    for number in range(1, count + 1):
        sites.link(side, (kind, number, number + 1))


async def _checked(sites: TwinSites, operator: Operator) -> None:
    await operator.settled(sites)
    oracle.check(sites, await operator.audit())


async def test_without_redis_the_sweep_finds_the_work(
    service_settings: Settings, tmp_path: Path
) -> None:
    nowhere = {"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}")}
    settings = service_settings.model_copy(update=nowhere)
    async with on_air(11) as sites, Processes(settings, tmp_path) as processes:
        api = await processes.api()
        await processes.worker()
        ready = await ask(f"{api.url}/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        sites.listen(api.url)
        async with Operator(api.url) as operator:
            await operator.live(sites)
            _links(sites, "Blocks")
            await _checked(sites, operator)


async def test_redis_restarts_and_is_emptied(
    service_settings: Settings, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    settings = service_settings.model_copy(update={"redis_url": SecretStr(own_valkey.url)})
    async with on_air(11) as sites, Processes(settings, tmp_path) as processes:
        api = await processes.api()
        worker = await processes.worker()
        sites.listen(api.url)
        async with Operator(api.url) as operator:
            await operator.live(sites)
            own_valkey.stop()
            _links(sites, "Blocks")
            await _checked(sites, operator)

            own_valkey.start()
            async with Redis.from_url(own_valkey.url) as redis:
                await redis.flushall()
                _links(sites, "Relates", side=1)
                await redis.flushall()
                await _checked(sites, operator)
                # Wake-ups are heard again, without a restart of anything.
                await until(lambda: _hears(redis, worker), "the worker at Redis")
            await until(lambda: _redis_is_back(api), "Redis in the readiness")


async def _hears(redis: Redis, worker: Process) -> bool:
    """Whether this worker's arq is connected: some client waits for jobs or has polled for them."""
    clients = await redis.client_list()
    return any(client["cmd"].startswith(("blpop", "zrange")) for client in clients)


async def test_postgresql_restarts(
    service_settings: Settings, own_postgres: PostgresServer, tmp_path: Path
) -> None:
    migrate_url, run_url = await bootstrap_roles(own_postgres.url)
    await migrate(migrate_url)
    settings = service_settings.model_copy(
        update={"database_url": SecretStr(run_url), "migrate_database_url": None}
    )
    async with on_air(11) as sites, Processes(settings, tmp_path) as processes:
        api = await processes.api()
        await processes.worker()
        sites.listen(api.url)
        async with Operator(api.url) as operator:
            await operator.live(sites)
            _links(sites, "Blocks")
            own_postgres.stop()
            _links(sites, "Relates")
            refused = await _post(api.url)
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) > 0
            await until(lambda: _unready(api), "the API not ready")
            assert (await ask(f"{api.url}/healthz")).status_code == 200

            await until(lambda: _refused(sites), "deliveries refused")
            own_postgres.start()
            await until(lambda: _ready(api), "the API ready")
            await _checked(sites, operator)
        await _all_stored(sites, run_url)


async def _post(api: str) -> httpx.Response:
    headers = {"X-Hub-Signature": signature(SECRET, BODY), "Content-Type": "application/json"}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        return await client.post(f"{api}/webhooks/jira/left", content=BODY, headers=headers)


async def _ready(api: Process) -> bool:
    return (await ask(f"{api.url}/readyz")).status_code == 200


async def _unready(api: Process) -> bool:
    return (await ask(f"{api.url}/readyz")).status_code == 503


async def _redis_is_back(api: Process) -> bool:
    return bool((await ask(f"{api.url}/readyz")).json()["redis"] == "ok")


def _refused(sites: TwinSites) -> bool:
    """Jira was told to send some of them again."""
    return any(it.status == 503 and it.outcome == "retry" for it in sites.left.site.outbox.log)


async def _all_stored(sites: TwinSites, url: str) -> None:
    """Each delivery that was answered with 202 is in the inbox."""
    conn = await asyncpg.connect(url)
    stored = {row["delivery"] for row in await conn.fetch("SELECT delivery FROM inbox")}
    await conn.close()
    for served in sites.both:
        log = served.site.outbox.log
        assert {it.identifier for it in log if it.status == 202} <= stored
