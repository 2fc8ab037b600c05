"""Restores, undos and rescues: the request and the progress of the planning.

The plan has the links; this row has the filters, and the lease of the worker that plans.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from app.core.plan import PlanKind
from app.store.pool import Connection, Row

CONFINED_TO = "confined_to"
"""Beside what was asked: the connections of a caller who is confined to them."""
APPROVED_WITHIN = "approved_within"
"""Beside what was asked: a caller who is confined to connections has approved it."""
KINDS = (PlanKind.RESTORE, PlanKind.UNDO, PlanKind.RESCUE)
"""Of plans that begin with a row here."""


@dataclass(frozen=True, slots=True)
class Restore:
    """A request that we have claimed for planning. `site` and `asked` are for rescues."""

    id: int
    kind: PlanKind
    plan_id: int
    site: int | None
    asked: Mapping[str, Any]
    scanned: bool
    fence: int


@dataclass(frozen=True, slots=True)
class NewRestore:
    """A request as it came in. `asked` is its JSON body; `site` is set for a rescue."""

    kind: PlanKind
    asked: Mapping[str, Any]
    cause_kind: Literal["restore", "rescue", "rollback"]
    requested_by: str
    site: int | None = None


async def any_connection(conn: Connection) -> int | None:
    """A connection for the plan to start with, before it is known whose links it holds."""
    found: int | None = await conn.fetchval("SELECT min(id) FROM connections")
    return found


async def begin_plan(
    conn: Connection, kind: PlanKind, connection_id: int, *, reason: str, now: datetime
) -> int:
    """Start a plan, which cannot be decided before it is sealed. It belongs to one connection, but
    its changes may be in others."""
    plan_id: int = await conn.fetchval(
        """INSERT INTO plans (connection_id, kind, status, reason, revision, created_at)
           SELECT id, $2, 'gathering', $3, revision, $4 FROM connections WHERE id = $1
           RETURNING id""",
        connection_id,
        kind,
        reason,
        now,
    )
    return plan_id


async def insert(conn: Connection, plan_id: int, new: NewRestore, *, now: datetime) -> int:
    """Store a request beside its plan; returns its id. Only a rescue has to read changelogs."""
    restore_id: int = await conn.fetchval(
        """INSERT INTO restores (kind, plan_id, asked, cause_kind, site_id, scanned, requested_by,
               created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id""",
        new.kind,
        plan_id,
        dict(new.asked),
        new.cause_kind,
        new.site,
        new.kind is not PlanKind.RESCUE,
        new.requested_by,
        now,
    )
    return restore_id


async def approved_within(conn: Connection, plan_id: int) -> None:
    """Record that a caller who is confined to connections has approved the plan."""
    await conn.execute(
        """UPDATE restores SET asked = asked || jsonb_build_object($2::text, true)
           WHERE plan_id = (SELECT coalesce(left_over_of, id) FROM plans WHERE id = $1)""",
        plan_id,
        APPROVED_WITHIN,
    )


async def settle_connection(conn: Connection, plan_id: int) -> bool:
    """Put the plan under a connection that its changes name, at the revision that it has now.
    False: it has no changes."""
    done = await conn.fetchval(
        """UPDATE plans p SET connection_id = c.id, revision = c.revision
           FROM (SELECT min(coalesce(x.connection_id, q.connection_id)) AS id
                 FROM plan_changes x JOIN plans q ON q.id = x.plan_id WHERE x.plan_id = $1) f
           JOIN connections c ON c.id = f.id
           WHERE p.id = $1 RETURNING true""",
        plan_id,
    )
    return bool(done)


async def discard_plan(conn: Connection, plan_id: int) -> None:
    """Delete a plan that no person has seen yet."""
    await conn.execute("DELETE FROM plans WHERE id = $1 AND status = 'gathering'", plan_id)


async def claim(conn: Connection, *, now: datetime, lease: float) -> Restore | None:
    """Claim a request that is not planned yet and that no worker has."""
    row = await conn.fetchrow(
        """
        UPDATE restores SET lease_until = $2, fence = nextval('fences')
        WHERE id = (
            SELECT id FROM restores WHERE sealed_at IS NULL AND failed_at IS NULL
              AND (lease_until IS NULL OR lease_until < $1)
            ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING *
        """,
        now,
        now + timedelta(seconds=lease),
    )
    return _restore(row) if row else None


async def renew(conn: Connection, it: Restore, until: datetime) -> bool:
    """Renew or release the claim. False if another worker has it now."""
    done = await conn.fetchval(
        "UPDATE restores SET lease_until = $3 WHERE id = $1 AND fence = $2 RETURNING true",
        it.id,
        it.fence,
        until,
    )
    return bool(done)


async def scanned(conn: Connection, it: Restore, unread: Mapping[str, int]) -> None:
    """Record that the changelogs of a rescue are read."""
    await conn.execute(
        "UPDATE restores SET scanned = true, unread = $3 WHERE id = $1 AND fence = $2",
        it.id,
        it.fence,
        dict(unread),
    )


async def fail(conn: Connection, it: Restore, code: str, now: datetime) -> None:
    """Give up planning; the plan ends undecided."""
    done = await conn.fetchval(
        """UPDATE restores SET failure = $3, failed_at = $4, lease_until = NULL
           WHERE id = $1 AND fence = $2 RETURNING true""",
        it.id,
        it.fence,
        code,
        now,
    )
    if done:
        await conn.execute(
            """UPDATE plans SET status = 'expired', note = $2, decided_at = $3,
                   decided_by = 'twinlink' WHERE id = $1 AND status = 'gathering'""",
            it.plan_id,
            code,
            now,
        )


async def seal(conn: Connection, it: Restore, now: datetime) -> bool:
    """Seal the plan and count its possible changes. False if another worker has sealed it."""
    done = await conn.fetchval(
        """UPDATE restores SET sealed_at = $3, lease_until = NULL, restorable =
               (SELECT count(*) FROM plan_changes WHERE plan_id = $4 AND result IS NULL)
           WHERE id = $1 AND fence = $2 AND sealed_at IS NULL RETURNING true""",
        it.id,
        it.fence,
        now,
        it.plan_id,
    )
    return bool(done)


async def nothing_open(conn: Connection, plan_id: int) -> bool:
    """Whether every change of the plan has a result."""
    found: bool = await conn.fetchval(
        "SELECT NOT EXISTS (SELECT 1 FROM plan_changes WHERE plan_id = $1 AND result IS NULL)",
        plan_id,
    )
    return found


async def over(conn: Connection) -> list[tuple[int, int]]:
    """(connection, plan) of plans of which every change is closed."""
    rows = await conn.fetch(
        """SELECT p.connection_id, p.id FROM plans p
           WHERE p.status = 'applying' AND p.kind = ANY($1)
             AND NOT EXISTS (SELECT 1 FROM plan_changes x
                             WHERE x.plan_id = p.id AND x.result IS NULL)""",
        list(KINDS),
    )
    return [(row["connection_id"], row["id"]) for row in rows]


async def leave_over(
    conn: Connection, plan_id: int, connection_id: int, *, reason: str, now: datetime
) -> int:
    """The plan that collects the changes of this plan that the guard has refused."""
    found: int | None = await conn.fetchval(
        "SELECT id FROM plans WHERE left_over_of = $1 AND status = 'gathering'", plan_id
    )
    if found is None:
        found = await begin_plan(conn, PlanKind.UNDO, connection_id, reason=reason, now=now)
        await conn.execute("UPDATE plans SET left_over_of = $2 WHERE id = $1", found, plan_id)
    return found


async def left_over(conn: Connection, plan_id: int) -> list[int]:
    """Unsealed plans with changes of this plan that the guard has refused."""
    rows = await conn.fetch(
        "SELECT id FROM plans WHERE left_over_of = $1 AND status = 'gathering'", plan_id
    )
    return [row["id"] for row in rows]


def _restore(row: Row) -> Restore:
    return Restore(
        row["id"],
        PlanKind(row["kind"]),
        row["plan_id"],
        row["site_id"],
        row["asked"],
        row["scanned"],
        row["fence"],
    )
