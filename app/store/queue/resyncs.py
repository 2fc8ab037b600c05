"""Resyncs: walks over a connection's twins that raise bulk work and wait for its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.store.pool import Connection, Row


class ResyncStatus(StrEnum):
    """How far a resync is. `held`: it has ended, and some of its removals wait for a person."""

    QUEUED = "queued"
    RUNNING = "running"
    HELD = "held"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Resync:
    """`twin_ids` None means all of the connection. `cursor` is the last twin raised.
    `revision` is one that is tried out beside `against`, which was active as it began."""

    id: int
    connection_id: int
    dry_run: bool
    twin_ids: tuple[int, ...] | None
    cursor: int
    cancel_requested: bool
    plan_id: int | None
    fence: int
    revision: int | None = None
    against: int | None = None


async def insert(
    conn: Connection,
    connection_id: int,
    *,
    twin_ids: Sequence[int] | None,
    dry_run: bool,
    cause: str,
    requested_by: str,
    total: int,
    now: datetime,
) -> int:
    """Queue a resync and return its id. *twin_ids* None means all twins of the connection."""
    resync_id: int = await conn.fetchval(
        """INSERT INTO resyncs (connection_id, twin_ids, dry_run, cause, requested_by,
               issues_total, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id""",
        connection_id,
        sorted(twin_ids) if twin_ids is not None else None,
        dry_run,
        cause,
        requested_by,
        total,
        now,
    )
    return resync_id


async def insert_trial(
    conn: Connection,
    connection_id: int,
    revision: int,
    against: int,
    *,
    requested_by: str,
    total: int,
    now: datetime,
) -> int:
    """Start a dry run that compares *revision* with *against*."""
    resync_id: int = await conn.fetchval(
        """INSERT INTO resyncs (connection_id, dry_run, cause, requested_by, issues_total,
               created_at, revision, against)
           VALUES ($1, true, 'revision', $2, $3, $4, $5, $6) RETURNING id""",
        connection_id,
        requested_by,
        total,
        now,
        revision,
        against,
    )
    return resync_id


async def waiting(conn: Connection, connection_id: int) -> int | None:
    """A full resync that has not begun; another request would add nothing."""
    found: int | None = await conn.fetchval(
        """SELECT id FROM resyncs WHERE connection_id = $1 AND status = 'queued'
           AND twin_ids IS NULL AND NOT dry_run ORDER BY id LIMIT 1""",
        connection_id,
    )
    return found


async def claim(conn: Connection, *, now: datetime, lease: float) -> Resync | None:
    """Claim a resync that no worker has, with a new fence."""
    row = await conn.fetchrow(
        """
        UPDATE resyncs SET status = 'running', lease_until = $2, fence = nextval('fences')
        WHERE id = (
            SELECT r.id FROM resyncs r JOIN connections c ON c.id = r.connection_id
            WHERE r.status IN ('queued', 'running')
              AND (r.lease_until IS NULL OR r.lease_until < $1)
              AND (c.paused_at IS NULL OR r.cancel_requested OR c.deleted_at IS NOT NULL)
            ORDER BY r.id LIMIT 1 FOR UPDATE OF r SKIP LOCKED)
        RETURNING *
        """,
        now,
        now + timedelta(seconds=lease),
    )
    return _resync(row) if row else None


async def advance(
    conn: Connection, resync: Resync, cursor: int, generations: dict[int, int]
) -> None:
    """Remember which generation of each twin must be looked at, and how far the walk is."""
    await conn.execute(
        """INSERT INTO resync_pairs (resync_id, twin_id, generation)
           SELECT $1, u.twin, u.generation FROM unnest($2::bigint[], $3::bigint[])
               u (twin, generation) ON CONFLICT DO NOTHING""",
        resync.id,
        list(generations),
        list(generations.values()),
    )
    await conn.execute("UPDATE resyncs SET cursor = $2 WHERE id = $1", resync.id, cursor)


async def outstanding(conn: Connection, resync_id: int) -> int:
    """The number of pairs that are not compared yet."""
    total: int = await conn.fetchval(
        "SELECT count(*) FROM resync_pairs WHERE resync_id = $1", resync_id
    )
    return total


async def clear_ended(conn: Connection, resync_id: int) -> None:
    """Count pairs that no settlement will count: their twin is gone, or has come back under its id
    with work that begins again, or their look ended before it was remembered here. In a
    transaction of its own, after work rows are let go."""
    await conn.execute(
        """
        WITH over AS (
            DELETE FROM resync_pairs p WHERE p.resync_id = $1 AND (
                NOT EXISTS (SELECT 1 FROM work w WHERE w.twin_id = p.twin_id)
                OR EXISTS (SELECT 1 FROM work w WHERE w.twin_id = p.twin_id
                           AND (w.done >= p.generation OR w.generation < p.generation)))
            RETURNING 1)
        UPDATE resyncs SET issues_done = issues_done + (SELECT count(*) FROM over) WHERE id = $1
        """,
        resync_id,
    )


async def let_go(conn: Connection, resync: Resync, *, due: datetime) -> None:
    """End our claim; a worker can claim the resync again from *due* on."""
    await conn.execute(
        "UPDATE resyncs SET lease_until = $3 WHERE id = $1 AND fence = $2",
        resync.id,
        resync.fence,
        due,
    )


async def finish(
    conn: Connection, resync: Resync, status: ResyncStatus, *, now: datetime, detail: str = ""
) -> None:
    """End the resync; `succeeded` becomes `held` if some of its removals wait for a person."""
    await conn.execute(
        """UPDATE resyncs SET lease_until = NULL, finished_at = $4, detail = $5,
             status = CASE WHEN $3 = 'succeeded' AND held > 0 AND NOT dry_run THEN 'held'
                           ELSE $3 END
           WHERE id = $1 AND fence = $2""",
        resync.id,
        resync.fence,
        status,
        now,
        detail,
    )
    await conn.execute("DELETE FROM resync_pairs WHERE resync_id = $1", resync.id)


async def set_total(conn: Connection, resync: Resync, total: int) -> None:
    """Store the number of pairs of the walk, when it is better known than at the request."""
    await conn.execute(
        "UPDATE resyncs SET issues_total = $3 WHERE id = $1 AND fence = $2",
        resync.id,
        resync.fence,
        total,
    )


async def count(
    conn: Connection, resync: Resync, *, done: int, created: int, removed: int, skipped: int
) -> None:
    """Add to a dry run's figures: what it would create and remove."""
    await conn.execute(
        """UPDATE resyncs SET issues_done = issues_done + $2, created = created + $3,
               removed = removed + $4, skipped = skipped + $5 WHERE id = $1""",
        resync.id,
        done,
        created,
        removed,
        skipped,
    )


def _resync(row: Row) -> Resync:
    return Resync(
        id=row["id"],
        connection_id=row["connection_id"],
        dry_run=row["dry_run"],
        twin_ids=tuple(row["twin_ids"]) if row["twin_ids"] is not None else None,
        cursor=row["cursor"],
        cancel_requested=row["cancel_requested"],
        plan_id=row["plan_id"],
        fence=row["fence"],
        revision=row["revision"],
        against=row["against"],
    )


async def plan_under(conn: Connection, resync: Resync, plan_id: int) -> None:
    """Store the plan that has the changes of a dry run."""
    await conn.execute("UPDATE resyncs SET plan_id = $2 WHERE id = $1", resync.id, plan_id)
