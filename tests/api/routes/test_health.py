"""Probes: the process, what it cannot do without, and what it can."""

import asyncio
import time
from contextlib import AbstractAsyncContextManager

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from app.api.auth.roles import V1
from app.embedded import ValkeyServer
from app.main import create_app
from app.settings import Settings
from app.store.pool import Connection, Database
from app.sync.upkeep.presence import Presence
from tests.api.conftest import Api, running
from tests.support.readiness import ready


async def test_all_is_well(api: Api, client: httpx.AsyncClient) -> None:
    await Presence(api.services.context).run_once()
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    well = await client.get("/readyz")
    assert well.status_code == 200
    assert well.json()["status"] == "ok"


async def test_probes_need_no_token(api: Api) -> None:
    nobody = api.client(None)
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await nobody.get(path)).status_code == 200


async def test_metrics_are_prometheus_text(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "twinlink_unmanaged_links_removed_total 0.0" in answer.text


async def test_redis_away_only_degrades(settings: Settings, own_valkey: ValkeyServer) -> None:
    changed = settings.model_copy(update={"redis_url": SecretStr(own_valkey.url)})
    async with running(changed) as api:
        client = api.client()
        await Presence(api.services.context).run_once()
        assert (await client.get("/readyz")).json()["status"] == "ok"
        own_valkey.stop()
        assert await ready(client, redis="unavailable") == {
            "code": 200,
            "status": "degraded",
            "postgres": "ok",
            "database_schema": "ok",
            "redis": "unavailable",
            "writes": "ok",
            "workers": "ok",
        }


async def test_it_says_whether_anything_may_be_written(
    settings: Settings, db: asyncpg.Pool
) -> None:
    async with running(settings) as api:
        client = api.client()
        assert (await client.get("/readyz")).json()["writes"] == "ok"
        await client.post("/api/v1/pause")
        await ready(client, writes="paused")
        await client.post("/api/v1/resume")
        await db.execute("UPDATE installation SET id = 'production'")
        await ready(client, writes="installation_mismatch", status="degraded")
    named = {"installation": "production", "read_only": True}
    async with running(settings.model_copy(update=named)) as api:
        assert (await api.client().get("/readyz")).json()["writes"] == "read_only"


async def test_postgres_away_is_not_ready(api: Api, client: httpx.AsyncClient) -> None:
    await api.services.database.close()
    away = await client.get("/readyz")
    assert away.status_code == 503
    assert away.json()["postgres"] == "unavailable"
    assert (await client.get("/healthz")).status_code == 200


async def test_another_schema_is_not_ready(client: httpx.AsyncClient, migrate_url: str) -> None:
    owner = await asyncpg.connect(migrate_url)
    try:
        await owner.execute("UPDATE alembic_version SET version_num = 'other'")
        other = await client.get("/readyz")
        assert other.status_code == 503
        assert other.json()["database_schema"] == "other"
    finally:
        await owner.close()


async def test_a_process_for_webhooks_alone(settings: Settings) -> None:
    """It faces the Internet: the REST API, its description and the metrics are not there, and
    readiness is a word."""
    app = create_app(settings, only_webhooks=True)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://twinlink") as client,
    ):
        for path in ("/healthz", "/readyz"):
            assert (await client.get(path)).json() == {"status": "ok"}
        assert (await client.post("/webhooks/jira/nosite", json={})).status_code == 404
        for path in (f"{V1}/sites", f"{V1}/tokens", "/openapi.json", "/metrics"):
            assert (await client.get(path)).status_code == 404
        await app.state.services.database.close()
        away = await ready(client, code=503)
        assert away == {"status": "unavailable", "code": 503}


@pytest.mark.parametrize("only_webhooks", [False, True])
async def test_many_strangers_use_up_no_connections(
    settings: Settings, only_webhooks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readiness needs no token: a flood of it is one look at the database, not one each."""
    app = create_app(settings, only_webhooks=only_webhooks)
    taken = []
    pooled = Database.connection

    def counted(self: Database) -> AbstractAsyncContextManager[Connection]:
        taken.append(self)
        return pooled(self)

    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://twinlink") as client,
    ):
        await client.get("/readyz")
        monkeypatch.setattr(Database, "connection", counted)
        began = time.monotonic()
        for _ in range(3):
            answers = await asyncio.gather(*(client.get("/readyz") for _ in range(100)))
            assert {it.status_code for it in answers} == {200}
        # A look takes three, one after another, and holds for a second.
        assert len(taken) <= 3 * (1 + int(time.monotonic() - began))
