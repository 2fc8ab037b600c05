"""Adoptions for people: their progress in numbers."""

from app.store.pool import Connection, Row

_SELECT = """
    SELECT a.*, c.name AS connection, p.status AS plan_status, f.*
    FROM adoptions a JOIN plans p ON p.id = a.plan_id JOIN connections c ON c.id = a.connection_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS pairs,
               count(*) FILTER (WHERE x.result LIKE 'applied:%') AS adopted,
               count(*) FILTER (WHERE x.result LIKE 'skipped:%') AS skipped,
               count(*) FILTER (WHERE x.result LIKE 'failed:%') AS failed
        FROM plan_changes x WHERE x.plan_id = p.id) f
    WHERE a.connection_id = $1
"""


async def by_id(conn: Connection, connection_id: int, adoption_id: int) -> Row | None:
    return await conn.fetchrow(f"{_SELECT} AND a.id = $2", connection_id, adoption_id)


async def page(conn: Connection, connection_id: int, *, before: int, limit: int) -> list[Row]:
    """Newest first."""
    return await conn.fetch(
        f"{_SELECT} AND a.id < $2 ORDER BY a.id DESC LIMIT $3", connection_id, before, limit
    )
