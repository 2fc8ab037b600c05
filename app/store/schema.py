"""Which version of the schema a database has."""

import asyncpg

from app.store.pool import Connection


async def revision(conn: Connection) -> str | None:
    """The version of the database; None if no migration has run."""
    try:
        found: str | None = await conn.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    return found


async def server_version(conn: Connection) -> str:
    found: str = await conn.fetchval("SHOW server_version")
    return found
