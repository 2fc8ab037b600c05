"""Copies a database's rows into another database, as a dump and its restore do."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg

# The migrations of the other database have inserted these rows already.
_MADE = ("account_salt", "monitor_mark")


async def put_back(superuser: str, source: str, target: str) -> None:
    """Copy every row of *source* into the migrated, unused *target*; both are URLs of databases.

    As pg_restore does it: with constraints held back, and sequences where they were.
    """
    async with _in(superuser, source) as here, _in(superuser, target) as there:
        await there.execute("SET session_replication_role = 'replica'")
        for name in _MADE:
            await there.execute(f"DELETE FROM {name}")  # noqa: S608 - names of ours
        tables = await here.fetch(
            """SELECT tablename FROM pg_tables
               WHERE schemaname = 'public' AND tablename <> 'alembic_version'"""
        )
        for (table,) in tables:
            rows = io.BytesIO()
            await here.copy_from_table(table, output=rows, format="binary")
            rows.seek(0)
            await there.copy_to_table(table, source=rows, format="binary")
        for row in await here.fetch("SELECT sequencename, last_value FROM pg_sequences"):
            if row["last_value"] is not None:
                place = (f"public.{row['sequencename']}", row["last_value"])
                await there.fetchval("SELECT setval($1::regclass, $2)", *place)


@asynccontextmanager
async def _in(superuser: str, url: str) -> AsyncIterator[asyncpg.Connection]:
    conn = await asyncpg.connect(superuser, database=urlsplit(url).path.removeprefix("/"))
    try:
        yield conn
    finally:
        await conn.close()
