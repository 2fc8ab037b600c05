"""A worker's probes and metrics: what they need, and how little they cost."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr

from app.settings import Settings
from app.store.pool import Connection, Database
from app.wiring import Services, open_services
from workers import probes

SCRAPER = "a-scraper-of-the-house-0123"


@pytest.fixture
async def services(settings: Settings) -> AsyncIterator[Services]:
    async with open_services(settings) as services:
        yield services


@asynccontextmanager
async def probed(
    services: Services, demanded: SecretStr | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(probes.probes(services.context, demanded))
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
        yield client


async def test_metrics_are_open_unless_a_token_is_demanded(services: Services) -> None:
    async with probed(services) as client:
        assert (await client.get("/metrics")).status_code == 200
    async with probed(services, SecretStr(SCRAPER)) as client:
        for given in ({}, {"Authorization": "Bearer another"}, {"Authorization": SCRAPER}):
            refused = await client.get("/metrics", headers=given)
            assert refused.status_code == 401
            assert "twinlink" not in refused.text
        sent = {"Authorization": f"Bearer {SCRAPER}"}
        assert (await client.get("/metrics", headers=sent)).status_code == 200
        assert (await client.get("/readyz")).status_code == 200


async def test_many_strangers_use_up_no_connections(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    pooled = Database.connection

    def counted(self: Database) -> AbstractAsyncContextManager[Connection]:
        taken.append(self)
        return pooled(self)

    monkeypatch.setattr(Database, "connection", counted)
    async with probed(services) as client:
        began = time.monotonic()
        await asyncio.gather(*(client.get("/readyz") for _ in range(200)))
    assert 1 <= len(taken) <= 1 + int(time.monotonic() - began)
