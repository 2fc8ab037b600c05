"""Adoptions for people: their progress in numbers."""

from dataclasses import dataclass
from datetime import datetime

from app.core.plan import PlanStatus
from app.store.columns import from_row
from app.store.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class AdoptionShown:
    """An adoption with the numbers of its plan's changes: `pairs` are all of them, `adoptable`
    those without an objection when the plan was sealed; `paired` and
    `unpaired` are as in `core.adoption.Pattern`. `since` and `until` bound when the account
    wrote the links."""

    id: int
    connection: str
    plan_id: int
    plan_status: PlanStatus
    since: datetime
    until: datetime
    pairs: int
    adoptable: int
    paired: int
    unpaired: int
    refused_at: datetime | None
    adopted: int
    skipped: int
    failed: int
    requested_by: str
    created_at: datetime
    sealed_at: datetime | None


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


async def by_id(conn: Connection, connection_id: int, adoption_id: int) -> AdoptionShown | None:
    row = await conn.fetchrow(f"{_SELECT} AND a.id = $2", connection_id, adoption_id)
    return _shown(row) if row else None


async def page(
    conn: Connection, connection_id: int, *, before: int, limit: int
) -> list[AdoptionShown]:
    """Newest first."""
    rows = await conn.fetch(
        f"{_SELECT} AND a.id < $2 ORDER BY a.id DESC LIMIT $3", connection_id, before, limit
    )
    return [_shown(row) for row in rows]


def _shown(row: Row) -> AdoptionShown:
    return from_row(AdoptionShown, row, plan_status=PlanStatus(row["plan_status"]))
