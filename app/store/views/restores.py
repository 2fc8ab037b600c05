"""Restores, undos and rescues for people: their progress in numbers."""

from collections.abc import Sequence

from app.core.plan import PlanKind
from app.store.pool import Connection, Row
from app.store.views.plans import visible

# The numbers of changes that the guard refused belong to the plan that collects them.
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
    conn: Connection, restore_id: int, within: Sequence[int] | None, kinds: Sequence[PlanKind]
) -> Row | None:
    """One of them; with *within*, only if all of its connections are among these."""
    return await conn.fetchrow(f"{_SELECT} AND r.id = $3", within, list(kinds), restore_id)


async def page(
    conn: Connection,
    *,
    within: Sequence[int] | None,
    kinds: Sequence[PlanKind],
    connection: str | None,
    before: int,
    limit: int,
) -> list[Row]:
    """Newest first; with *connection*, only those with changes in it."""
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
