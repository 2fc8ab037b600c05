"""Restores, undone creates and rescues as people see them: how far they are, in figures."""

from collections.abc import Sequence

from app.store.pool import Connection, Row
from app.store.views.plans import visible

# Figures of what was decided later, beyond the guard, belong to the plan that holds it.
_SELECT = f"""
    SELECT r.*, p.status AS plan_status, c.name AS connection, f.*
    FROM restores r JOIN plans p ON p.id = r.plan_id JOIN connections c ON c.id = p.connection_id
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE x.result LIKE 'applied:%') AS restored,
               count(*) FILTER (WHERE x.result LIKE 'skipped:%') AS skipped,
               count(*) FILTER (WHERE x.result LIKE 'failed:%') AS failed,
               count(*) FILTER (WHERE x.result LIKE 'held:%') AS held,
               count(*) FILTER (WHERE x.verified) AS verified, count(*) AS links
        FROM plan_changes x WHERE x.plan_id = p.id) f
    WHERE {visible(1)} AND r.kind = ANY($2::text[])
"""  # noqa: S608 - texts of ours


async def by_id(
    conn: Connection, restore_id: int, within: Sequence[int] | None, kinds: Sequence[str]
) -> Row | None:
    """With *within*: only one whose connections are all among them."""
    return await conn.fetchrow(f"{_SELECT} AND r.id = $3", within, list(kinds), restore_id)


async def page(
    conn: Connection,
    *,
    within: Sequence[int] | None,
    kinds: Sequence[str],
    connection: str | None,
    before: int,
    limit: int,
) -> list[Row]:
    """Newest first. *connection*: with changes of this one."""
    return await conn.fetch(
        f"""{_SELECT} AND r.id < $3 AND ($4::text IS NULL OR c.name = $4 OR EXISTS (
                SELECT 1 FROM plan_changes v JOIN connections d ON d.id = v.connection_id
                WHERE v.plan_id = p.id AND d.name = $4))
            ORDER BY r.id DESC LIMIT $5""",  # noqa: S608
        within,
        list(kinds),
        before,
        connection,
        limit,
    )
