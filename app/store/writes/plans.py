"""Plans: changes that are not made yet. Held removals gather here; shadow and dry runs end here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.core.ledger import LinkKey
from app.core.links import IssueRef, LinkId, TypeId
from app.core.operations import Operation
from app.core.plan import PlanKind, PlanStatus
from app.store.config.active_connection import Running
from app.store.pool import Connection

EXPIRES = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Planned:
    """One create or remove, with its reason and the evidence."""

    operation: Operation
    site: int
    type_id: TypeId
    source: IssueRef
    destination: IssueRef
    link_id: LinkId | None
    key: LinkKey
    reason: str
    evidence: dict[str, str] = field(default_factory=dict)


async def gathering(
    conn: Connection, running: Running, kind: PlanKind, *, reason: str, now: datetime
) -> int:
    """The open plan of this kind; starts one if there is none."""
    gathers = kind in (PlanKind.REMOVALS, PlanKind.UNPAIRINGS)
    status = PlanStatus.GATHERING if gathers else PlanStatus.SHADOW
    if kind is not PlanKind.DRY_RUN:
        plan_id: int | None = await conn.fetchval(
            "SELECT id FROM plans WHERE connection_id = $1 AND kind = $2 AND status = $3",
            running.id,
            kind,
            status,
        )
        if plan_id is not None:
            return plan_id
    created: int = await conn.fetchval(
        """INSERT INTO plans (connection_id, kind, status, reason, revision, created_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id""",
        running.id,
        kind,
        status,
        reason,
        running.revision,
        now,
        now + EXPIRES,
    )
    return created


async def put(conn: Connection, plan_id: int, changes: Sequence[Planned], *, now: datetime) -> int:
    """Add changes to an open plan; returns how many are new in it."""
    added = 0
    for it in changes:
        status = await conn.execute(
            """
            INSERT INTO plan_changes (plan_id, operation, site_id, type_id, source_id, source_key,
                destination_id, destination_key, link_id, left_type_id, source_twin_id,
                destination_twin_id, reason, evidence, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
            ON CONFLICT DO NOTHING
            """,
            plan_id,
            it.operation,
            it.site,
            int(it.type_id),
            int(it.source.id),
            it.source.key,
            int(it.destination.id),
            it.destination.key,
            int(it.link_id) if it.link_id else None,
            int(it.key.left_type),
            it.key.source_twin,
            it.key.destination_twin,
            it.reason,
            it.evidence,
            now,
        )
        added += int(status.endswith(" 1"))
    return added


async def drop(conn: Connection, connection_id: int, keys: Iterable[LinkKey]) -> None:
    """Remove these links from every open plan, because they were judged again."""
    wanted = list(keys)
    await conn.execute(
        """
        DELETE FROM plan_changes c USING plans p,
            unnest($2::bigint[], $3::bigint[], $4::bigint[]) u (type, source, destination)
        WHERE p.id = c.plan_id AND p.connection_id = $1
          AND p.status IN ('gathering', 'shadow') AND p.kind IN ('removals', 'shadow')
          AND c.left_type_id = u.type AND c.source_twin_id = u.source
          AND c.destination_twin_id = u.destination
        """,
        connection_id,
        [int(key.left_type) for key in wanted],
        [key.source_twin for key in wanted],
        [key.destination_twin for key in wanted],
    )
