"""Fixtures: real PostgreSQL and Valkey, a fresh migrated database per test.

`db` and `db_url` speak as the role that the service runs as, `migrate_url` as the schema's owner.
`own_postgres` and `own_valkey` are servers that a test may stop, crash and restart. With
TWINLINK_TEST_DATABASE_URL (a superuser's) and TWINLINK_TEST_REDIS_URL the suite runs on real
servers instead of the embedded ones.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
import structlog
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr
from redis.asyncio import Redis

from app.embedded import (
    PostgresServer,
    ValkeyServer,
    start_postgres,
    start_valkey,
    throwaway_directory,
)
from app.settings import PREFIX, TEST_PREFIX, Settings
from tests.support.servers import (
    Database,
    Servers,
    ServersOwner,
    ensure_template,
    fresh_database,
    throwaway_parent,
)

_OWNER = pytest.StashKey[ServersOwner]()

hypothesis_settings.register_profile(
    # Two shared cores: a deadline per example would only measure the neighbours.
    "dev",
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis_settings.register_profile(
    "ci", hypothesis_settings.get_profile("dev"), max_examples=200, print_blob=True
)
hypothesis_settings.register_profile(
    "thorough", hypothesis_settings.get_profile("dev"), max_examples=5000
)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(autouse=True)
def _logging_as_it_comes() -> None:
    """A test that configures logging does it for itself alone."""
    structlog.reset_defaults()


def pytest_configure(config: pytest.Config) -> None:
    """Start from an environment without settings: a developer's own must not steer a test."""
    for name in [n for n in os.environ if n.startswith(PREFIX) and not n.startswith(TEST_PREFIX)]:
        del os.environ[name]
    if not hasattr(config, "workerinput"):
        config.stash[_OWNER] = ServersOwner()


def pytest_unconfigure(config: pytest.Config) -> None:
    if _OWNER in config.stash:
        config.stash[_OWNER].close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first: at the end the others would have nothing left to do."""
    items.sort(key=lambda it: it.get_closest_marker("first") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist: this process owns the servers, its workers are told where they are."""
    node.workerinput["twinlink_servers"] = node.config.stash[_OWNER].get().packed()


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    worker = getattr(pytestconfig, "workerinput", None)
    if worker is not None:
        return Servers(**worker["twinlink_servers"])
    return pytestconfig.stash[_OWNER].get()


@pytest.fixture(scope="session")
def template_database(servers: Servers) -> Database:
    return asyncio.run(ensure_template(servers))


@pytest.fixture
async def database(servers: Servers, template_database: Database) -> AsyncIterator[Database]:
    """A migrated database of this test's own, with both roles' URLs."""
    async with fresh_database(servers, template_database) as database:
        yield database


@pytest.fixture
async def empty_database(servers: Servers, template_database: Database) -> AsyncIterator[Database]:
    """A database with the roles but without a schema, for tests of the migrations."""
    async with fresh_database(servers, template_database, empty=True) as database:
        yield database


@pytest.fixture
def db_url(database: Database) -> str:
    return database.run_url


@pytest.fixture
def migrate_url(database: Database) -> str:
    return database.migrate_url


@pytest.fixture
async def db(db_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(db_url, min_size=0, max_size=10) as pool:
        yield pool


@pytest.fixture
async def redis_url(servers: Servers) -> str:
    """A store of this process's own, emptied before each test."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    url = servers.redis_for(int(worker))
    async with Redis.from_url(url) as client:
        await client.flushdb()
    return url


@pytest.fixture
def settings(database: Database, redis_url: str) -> Settings:
    """Settings on this test's database and store; vary them with `model_copy(update=...)`."""
    return Settings(
        database_url=SecretStr(database.run_url),
        migrate_database_url=SecretStr(database.migrate_url),
        redis_url=SecretStr(redis_url),
        admin_token=SecretStr("test-admin-token-0123456789"),
        secret_key=(SecretStr("test-secret-key-0123456789abcdef"),),
        installation="tests",
        allow_private_sites=True,
        sweep_seconds=0.05,
    )


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that this test may stop, crash and restart. Neither roles nor schema."""
    parent = throwaway_parent()
    with throwaway_directory(parent) as path, start_postgres(path, durable=False) as server:
        yield server


@pytest.fixture
def own_valkey() -> Iterator[ValkeyServer]:
    """A Valkey that this test may stop and restart."""
    with throwaway_directory() as path, start_valkey(path, durable=False) as server:
        yield server
