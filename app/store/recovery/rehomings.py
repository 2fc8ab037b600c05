"""Re-homings: which connection takes over from which, how far it is, and the worker's lease."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.ledger import Row
from app.core.links import IssueKey, Side
from app.core.plan import PlanKind, PlanStatus
from app.store.links.ledger import row_value
from app.store.pool import Connection
from app.store.pool import Row as Record
from app.store.recovery import plan_lease, restores

_OPEN = ("managed", "detached", "suspended", "orphaned")


@dataclass(frozen=True, slots=True)
class Rehoming:
    """One that we have claimed. `planning`: its plan is not sealed yet, else it is applied."""

    id: int
    former_id: int
    connection_id: int
    side: Side
    plan_id: int
    twin_cursor: int
    twins_paired: bool
    row_cursor: int
    planning: bool
    approver: str
    fence: int


@dataclass(frozen=True, slots=True)
class RehomingShown:
    """With the numbers of its plan's changes: `rows` are all of them."""

    id: int
    former: str
    connection: str
    plan_id: int
    plan_status: PlanStatus
    twins: int
    rows: int
    carried: int
    left: int
    requested_by: str
    created_at: datetime


async def target(conn: Connection, former_id: int, site_id: int) -> int | None:
    """The living connection on this site that took over from *former_id* before."""
    found: int | None = await conn.fetchval(
        """SELECT r.connection_id FROM rehomings r JOIN connections c ON c.id = r.connection_id
           WHERE r.former_id = $1 AND c.deleted_at IS NULL
             AND $2 IN (c.left_site_id, c.right_site_id) ORDER BY r.id DESC LIMIT 1""",
        former_id,
        site_id,
    )
    return found


async def under_way(conn: Connection, former_id: int) -> bool:
    """Whether one is planned, waits for a decision, or is being applied."""
    found: bool = await conn.fetchval(
        """SELECT EXISTS (SELECT FROM rehomings r JOIN plans p ON p.id = r.plan_id
           WHERE r.former_id = $1
             AND p.status IN ('gathering', 'held', 'approved', 'applying'))""",
        former_id,
    )
    return found


async def insert(
    conn: Connection,
    former_id: int,
    connection_id: int,
    side: Side,
    *,
    requested_by: str,
    now: datetime,
) -> tuple[int, int]:
    """A re-homing and its plan, which cannot be decided yet; both ids."""
    plan_id = await restores.begin_plan(
        conn, PlanKind.REHOMING, connection_id, reason="rehoming", now=now
    )
    made: int = await conn.fetchval(
        """INSERT INTO rehomings (former_id, connection_id, side, plan_id, requested_by, created_at)
           VALUES ($1, $2, $3, $4, $5, $6) RETURNING id""",
        former_id,
        connection_id,
        side.value,
        plan_id,
        requested_by,
        now,
    )
    return made, plan_id


async def claim(conn: Connection, *, now: datetime, lease: timedelta) -> Rehoming | None:
    """Claim one that is being planned or applied and that no worker has."""
    return await plan_lease.claim(
        conn, "rehomings", PlanKind.REHOMING, _rehoming, now=now, lease=lease
    )


async def holds(conn: Connection, it: Rehoming) -> bool:
    """Whether our claim is still valid; locks the row until this transaction ends."""
    return await plan_lease.holds(conn, "rehomings", it.id, it.fence)


async def let_go(conn: Connection, it: Rehoming, until: datetime | None) -> None:
    await conn.execute(
        "UPDATE rehomings SET lease_until = $3 WHERE id = $1 AND fence = $2",
        it.id,
        it.fence,
        until,
    )


async def advance_twins(conn: Connection, it: Rehoming, cursor: int, *, over: bool) -> None:
    await conn.execute(
        "UPDATE rehomings SET twin_cursor = $2, twins_paired = $3 WHERE id = $1",
        it.id,
        cursor,
        over,
    )


async def advance_rows(conn: Connection, it: Rehoming, cursor: int) -> None:
    await conn.execute("UPDATE rehomings SET row_cursor = $2 WHERE id = $1", it.id, cursor)


async def sealed(conn: Connection, it: Rehoming, now: datetime) -> None:
    await conn.execute("UPDATE rehomings SET sealed_at = $2 WHERE id = $1", it.id, now)


async def rows_of(conn: Connection, former_id: int, *, after: int, limit: int) -> list[Row]:
    """The rows of the former connection that still have something to be taken over."""
    records = await conn.fetch(
        """SELECT * FROM ledger WHERE connection_id = $1 AND state = ANY($2) AND id > $3
           ORDER BY id LIMIT $4""",
        former_id,
        _OPEN,
        after,
        limit,
    )
    return [row_value(record) for record in records]


async def agreed(conn: Connection, plan_id: int, *, limit: int) -> list[int]:
    """Ledger rows of the former connection that the plan names and that are not decided yet."""
    records = await conn.fetch(
        """SELECT (evidence ->> 'row')::bigint AS row FROM plan_changes
           WHERE plan_id = $1 AND result IS NULL
           ORDER BY site_id, type_id, source_id, destination_id LIMIT $2""",
        plan_id,
        limit,
    )
    return [record["row"] for record in records]


async def close(conn: Connection, plan_id: int, results: dict[int, str]) -> None:
    """How the changes of these ledger rows ended."""
    await conn.execute(
        """UPDATE plan_changes x SET result = u.result
           FROM unnest($2::bigint[], $3::text[]) u (row, result)
           WHERE x.plan_id = $1 AND x.result IS NULL AND (x.evidence ->> 'row')::bigint = u.row""",
        plan_id,
        list(results.keys()),
        list(results.values()),
    )


async def open_changes(conn: Connection, plan_id: int) -> bool:
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM plan_changes WHERE plan_id = $1 AND result IS NULL)", plan_id
    )
    return found


async def of_site(conn: Connection, site_id: int, *, limit: int) -> list[RehomingShown]:
    """Those of connections that join, or joined, this site; newest first."""
    records = await conn.fetch(
        """
        SELECT r.id, f.name AS former, c.name AS connection, r.plan_id, p.status AS plan_status,
               (SELECT count(*) FROM twins t WHERE t.connection_id = c.id) AS twins,
               count(x.*) AS rows,
               count(x.*) FILTER (WHERE x.result LIKE 'applied:%') AS carried,
               count(x.*) FILTER (WHERE x.result LIKE 'skipped:%') AS left,
               r.requested_by, r.created_at
        FROM rehomings r JOIN plans p ON p.id = r.plan_id
        JOIN connections f ON f.id = r.former_id JOIN connections c ON c.id = r.connection_id
        LEFT JOIN plan_changes x ON x.plan_id = p.id
        WHERE $1 IN (f.left_site_id, f.right_site_id)
        GROUP BY r.id, f.name, c.id, p.id ORDER BY r.id DESC LIMIT $2
        """,
        site_id,
        limit,
    )
    return [
        RehomingShown(**{**record, "plan_status": PlanStatus(record["plan_status"])})
        for record in records
    ]


async def pairs(
    conn: Connection, connection_id: int, side: Side, *, after: int, limit: int
) -> list[tuple[int, IssueKey]]:
    """Twins of a connection with the keys that they have on one side."""
    records = await conn.fetch(
        f"""SELECT id, coalesce({side.value}_moved_key, {side.value}_key) AS key FROM twins
            WHERE connection_id = $1 AND id > $2 ORDER BY id LIMIT $3""",  # noqa: S608
        connection_id,
        after,
        limit,
    )
    return [(record["id"], IssueKey(record["key"])) for record in records]


def keys(found: Sequence[tuple[int, IssueKey]]) -> list[IssueKey]:
    return [key for _, key in found]


def _rehoming(it: Record) -> Rehoming:
    return Rehoming(
        it["id"],
        it["former_id"],
        it["connection_id"],
        Side(it["side"]),
        it["plan_id"],
        it["twin_cursor"],
        it["twins_paired"],
        it["row_cursor"],
        it["planning"],
        it["approver"],
        it["fence"],
    )
