"""The fixtures that every other test uses."""

import asyncpg
import pytest
from redis.asyncio import Redis

from app.settings import Settings
from tests.support.servers import Database, Servers, fresh_database


@pytest.mark.parametrize("round_", [1, 2])
async def test_each_test_has_a_database_of_its_own(
    database: Database, migrate_url: str, db: asyncpg.Pool, round_: int
) -> None:
    owner = await asyncpg.connect(migrate_url)
    await owner.execute("CREATE TABLE left_behind (n int)")
    await owner.close()
    assert await db.fetchval("SELECT current_database()") == database.name


async def test_the_service_speaks_as_the_run_role(db: asyncpg.Pool) -> None:
    assert await db.fetchval("SELECT current_user::text") == "twinlink_run"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.execute("CREATE TABLE forbidden (n int)")


async def test_databases_start_migrated_or_empty(
    db: asyncpg.Pool, empty_database: Database
) -> None:
    count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert await db.fetchval(count) > 0
    owner = await asyncpg.connect(empty_database.migrate_url)
    assert await owner.fetchval(count) == 0
    await owner.close()


async def test_databases_are_dropped_even_while_connected(
    servers: Servers, template_database: Database
) -> None:
    async with fresh_database(servers, template_database) as database:
        forgotten = await asyncpg.connect(database.run_url)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(database.run_url)
    forgotten.terminate()


@pytest.mark.parametrize("round_", [1, 2])
async def test_the_store_is_empty_at_first(redis_url: str, round_: int) -> None:
    async with Redis.from_url(redis_url) as client:
        assert await client.dbsize() == 0
        await client.set("left", "behind")


def test_settings_point_at_this_tests_servers(settings: Settings, db_url: str) -> None:
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == db_url
