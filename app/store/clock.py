"""PostgreSQL's clock."""

from datetime import datetime

from app.store.pool import Connection


async def read(conn: Connection) -> datetime:
    """The time there as the statement runs, not as its transaction began."""
    there: datetime = await conn.fetchval("SELECT clock_timestamp()")
    return there
