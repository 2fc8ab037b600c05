"""The lease of a worker on a request that has a plan of its own: an adoption, or a re-homing."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from app.core.plan import PlanKind
from app.store.pool import Connection, Row

Table = Literal["adoptions", "rehomings"]
T = TypeVar("T")


async def claim(
    conn: Connection,
    table: Table,
    kind: PlanKind,
    read: Callable[[Row], T],
    *,
    now: datetime,
    lease: timedelta,
) -> T | None:
    """Claim a request that is being planned or applied and that no worker has. *read* is given its
    row, whether it is in `planning`, and the `approver` of its plan, empty before that."""
    row = await conn.fetchrow(
        f"""
        UPDATE {table} r SET lease_until = $2, fence = nextval('fences')
        FROM plans p
        WHERE p.id = r.plan_id AND r.id = (
            SELECT x.id FROM {table} x JOIN plans q ON q.id = x.plan_id
            WHERE q.kind = $3 AND q.status IN ('gathering', 'applying')
              AND (x.lease_until IS NULL OR x.lease_until <= $1)
            ORDER BY x.lease_until NULLS FIRST, x.id LIMIT 1 FOR UPDATE OF x SKIP LOCKED)
        RETURNING r.*, p.status = 'gathering' AS planning, coalesce(p.decided_by, '') AS approver
        """,  # noqa: S608 - names of ours
        now,
        now + lease,
        kind,
    )
    return None if row is None else read(row)


async def holds(conn: Connection, table: Table, request: int, fence: int) -> bool:
    """Whether the claim with this fence is still valid; locks the row until the end of the
    transaction."""
    found = await conn.fetchval(
        f"SELECT true FROM {table} WHERE id = $1 AND fence = $2 FOR UPDATE",  # noqa: S608
        request,
        fence,
    )
    return bool(found)
