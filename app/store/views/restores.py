"""Restores, undos and rescues for people: their progress in numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.plan import PlanKind, PlanStatus
from app.store.columns import from_row
from app.store.pool import Connection, Row
from app.store.views.plans import visible


@dataclass(frozen=True, slots=True)
class RestoreShown:
    """A restore, an undo or a rescue, with the numbers of its plan's changes. `asked` is the body
    of the request. `restorable` is counted when the plan is sealed; `held` changes were left over
    by the guard. `unread` are changelog entries that name no link, by reason. `failure` is the code
    with which the planning ended."""

    id: int
    kind: PlanKind
    connection: str
    plan_id: int
    plan_status: PlanStatus
    asked: Mapping[str, Any]
    links: int
    restorable: int
    restored: int
    skipped: int
    failed: int
    held: int
    verified: int
    unread: Mapping[str, int]
    failure: str | None
    requested_by: str
    created_at: datetime
    sealed_at: datetime | None


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
) -> RestoreShown | None:
    """One of them; with *within*, only if all of its connections are among these."""
    row = await conn.fetchrow(f"{_SELECT} AND r.id = $3", within, list(kinds), restore_id)
    return _shown(row) if row else None


async def page(
    conn: Connection,
    *,
    within: Sequence[int] | None,
    kinds: Sequence[PlanKind],
    connection: str | None,
    before: int,
    limit: int,
) -> list[RestoreShown]:
    """Newest first; with *connection*, only those with changes in it."""
    rows = await conn.fetch(
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
    return [_shown(row) for row in rows]


def _shown(row: Row) -> RestoreShown:
    return from_row(
        RestoreShown,
        row,
        kind=PlanKind(row["kind"]),
        plan_status=PlanStatus(row["plan_status"]),
    )
