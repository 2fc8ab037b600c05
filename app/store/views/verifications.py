"""Requests to check the chains of the audit, which workers carry out."""

from datetime import datetime

from app.store.pool import Connection, Row


async def insert(conn: Connection, now: datetime) -> int:
    made: int = await conn.fetchval(
        "INSERT INTO audit_verifications (created_at) VALUES ($1) RETURNING id", now
    )
    return made


async def by_id(conn: Connection, verification_id: int) -> Row | None:
    return await conn.fetchrow("SELECT * FROM audit_verifications WHERE id = $1", verification_id)


async def page(conn: Connection, *, before: int, limit: int) -> list[Row]:
    """Newest first."""
    return await conn.fetch(
        "SELECT * FROM audit_verifications WHERE id < $1 ORDER BY id DESC LIMIT $2", before, limit
    )
