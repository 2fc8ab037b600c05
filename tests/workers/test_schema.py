"""A worker on a schema of another version claims nothing, says so, and goes on by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from app.cli.local.schema import migrated
from app.cli.output.errors import CommandError
from app.settings import Settings
from app.store.migrations.head import latest
from app.store.queue import work
from app.store.schema import Fit, fit
from app.wiring import open_services
from tests.support.servers import Database
from tests.support.waiting import until
from tests.workers.test_serve import worker

OTHERS = ["0001", "9999"]


@asynccontextmanager
async def at_version(database: Database, version: str | None) -> AsyncIterator[None]:
    """The database as another version of Twinlink left it; ours again afterwards."""
    owner = await asyncpg.connect(database.migrate_url)
    try:
        await owner.execute("DELETE FROM alembic_version")
        if version is not None:
            await owner.execute("INSERT INTO alembic_version VALUES ($1)", version)
        yield
        await owner.execute("DELETE FROM alembic_version")
        await owner.execute("INSERT INTO alembic_version VALUES ($1)", latest())
    finally:
        await owner.close()


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (None, Fit.EMPTY),
        ("0001", Fit.OLDER),
        (latest(), Fit.SAME),
        ("9999", Fit.NEWER),
        ("other", Fit.NEWER),
    ],
)
def test_a_schema_is_older_or_newer(found: str | None, wanted: Fit) -> None:
    assert fit(found, latest()) is wanted


async def _due(db: asyncpg.Pool) -> None:
    """One pair of a connection that wants a look."""
    left, right = [
        await db.fetchval(
            """INSERT INTO sites (name, base_url, deployment, auth_kind, auth_sealed,
                   webhook_secret_sealed)
               VALUES ($1, 'https://' || $1 || '.invalid', 'cloud', 'bearer', '', '')
               RETURNING id""",
            name,
        )
        for name in ("left", "right")
    ]
    connection = await db.fetchval(
        """INSERT INTO connections (name, left_site_id, right_site_id, revision)
           VALUES ('ab', $1, $2, 1) RETURNING id""",
        left,
        right,
    )
    twin = await db.fetchval(
        """INSERT INTO twins (connection_id, left_site_id, left_issue_id, left_key, right_site_id,
               right_issue_id, right_key, source)
           VALUES ($1, $2, 1, 'A-1', $3, 2, 'B-1', 'api') RETURNING id""",
        connection,
        left,
        right,
    )
    await db.execute(
        """INSERT INTO work (connection_id, twin_id, look, cause_kind, cause_id, dirty_since,
               due_at)
           VALUES ($1, $2, true, 'webhook', '1', now(), now())""",
        connection,
        twin,
    )


@pytest.mark.parametrize("version", [*OTHERS, None])
async def test_no_claim_takes_anything_there(
    settings: Settings, db: asyncpg.Pool, database: Database, version: str | None
) -> None:
    """In the statement itself: a migration may run between any look and the next claim."""
    await _due(db)
    async with open_services(settings) as services:

        async def claimed() -> int:
            async with services.database.transaction() as conn:
                return len(await work.claim(conn, now=services.clock(), size=10, lease=60))

        async with at_version(database, version):
            assert await claimed() == 0
        assert await claimed() == 1


@pytest.mark.slow
@pytest.mark.parametrize("version", OTHERS)
async def test_a_worker_says_so_and_goes_on(
    settings: Settings, db: asyncpg.Pool, database: Database, version: str
) -> None:
    alive = "SELECT count(*) > 0 FROM workers"
    facts = "SELECT facts FROM incidents WHERE kind = 'schema_mismatch'"
    async with at_version(database, version), worker(settings) as services:
        await until(lambda: db.fetchval(facts), "the incident")
        assert version in await db.fetchval(facts)
        assert services.permit.refused_for == "schema_mismatch"
        assert await db.fetchval(alive) is False
        await database_at_home(database)
        await until(lambda: db.fetchval(alive), "a sign of life")
        assert services.permit.granted


async def database_at_home(database: Database) -> None:
    owner = await asyncpg.connect(database.migrate_url)
    await owner.execute("UPDATE alembic_version SET version_num = $1", latest())
    await owner.close()


async def test_migrate_names_the_remedy_for_a_newer_database(database: Database) -> None:
    async with at_version(database, "9999"):
        with pytest.raises(CommandError) as caught:
            await migrated(database.migrate_url)
    assert "9999" in caught.value.message
    assert "install the version" in caught.value.details[0]
