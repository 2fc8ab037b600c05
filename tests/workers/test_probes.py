"""A worker's probes and metrics: what they need, and how little they cost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr

from app.settings import Settings
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
