"""The service in real processes on this test's database and store."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from app.settings import Settings
from tests.support.processes import Processes
from tests.support.servers import Database, Servers


@pytest.fixture
def service_settings(settings: Settings) -> Settings:
    """Calmer than for users: several of these processes share a few cores with other tests."""
    calm = {"sweep_seconds": 1.0, "poll_delay_seconds": 0.05, "log_level": "warning"}
    return settings.model_copy(update=calm)


@pytest.fixture
async def processes(service_settings: Settings, tmp_path: Path) -> AsyncIterator[Processes]:
    async with Processes(service_settings, tmp_path) as made:
        yield made


@pytest.fixture
async def superuser(servers: Servers, database: Database) -> AsyncIterator[asyncpg.Connection]:
    """In this test's database, whom no grant and no trigger holds back."""
    conn = await asyncpg.connect(servers.postgres, database=database.name)
    try:
        yield conn
    finally:
        await conn.close()
