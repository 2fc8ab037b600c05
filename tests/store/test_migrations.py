"""Migrations go forward, run twice without harm, and cost nothing where none is applied."""

import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from app.store import migrations
from app.store.migrations.head import latest
from app.store.migrations.run import migrate
from tests.support.servers import Database


def test_the_newest_file_is_the_head_of_one_chain() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [latest()]


async def test_from_empty_and_once_more(empty_database: Database) -> None:
    await migrate(empty_database.migrate_url)
    first = await schema(empty_database)
    await migrate(empty_database.migrate_url)
    assert await schema(empty_database) == first
    assert len(first) > 100


@pytest.mark.parametrize("module", ["workers.main", "app.main"])
def test_what_serves_does_not_load_what_migrates(module: str) -> None:
    """It would double the time that a worker or an API process takes to start."""
    told = f"import sys, {module}; print(*{{'alembic', 'sqlalchemy'}} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []


async def schema(database: Database) -> list[tuple[str, ...]]:
    """Every column with its type, and the version."""
    conn = await asyncpg.connect(database.migrate_url)
    try:
        rows = await conn.fetch(
            """SELECT table_name, column_name, data_type, coalesce(column_default, '')
               FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"""
        )
        version = await conn.fetchval("SELECT version_num FROM alembic_version")
    finally:
        await conn.close()
    return [*(tuple(row) for row in rows), ("version", version)]
