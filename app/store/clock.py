"""PostgreSQL's clock."""

from datetime import datetime

from app.store.pool import Connection


async def read(conn: Connection) -> datetime:
    """The time of PostgreSQL when the statement runs, not when its transaction began."""
    there: datetime = await conn.fetchval("SELECT clock_timestamp()")
    return there
