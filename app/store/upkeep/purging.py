"""Delete old rows in batches, so that each lock is short."""

from datetime import datetime, timedelta

from app.store.pool import Connection

DELIVERIES_KEPT = timedelta(days=14)
INTENTS_KEPT = timedelta(days=14)
RESYNCS_KEPT = timedelta(days=30)
MARKS_KEPT = timedelta(days=1)
MINUTES_KEPT = timedelta(days=2)
VERIFICATIONS_KEPT = timedelta(days=400)


async def deliveries(conn: Connection, now: datetime, limit: int) -> int:
    """Old rows of the inbox, except those that queued work still needs."""
    return await _deleted(
        conn,
        """
        -- Collected once, not looked up per row: causes have no index, and few rows have any.
        WITH named AS MATERIALIZED (
            SELECT DISTINCT unnest(causes) AS id FROM (
                SELECT causes FROM work WHERE generation > done AND failed_at IS NULL
                UNION ALL SELECT causes FROM work WHERE failed_at IS NOT NULL) held)
        DELETE FROM inbox WHERE id IN (
            SELECT i.id FROM inbox i
            WHERE i.received_at < $1 AND NOT EXISTS (SELECT FROM named n WHERE n.id = i.id)
            ORDER BY i.received_at LIMIT $2)
        """,
        now - DELIVERIES_KEPT,
        limit,
    )


async def intents(conn: Connection, now: datetime, limit: int) -> int:
    """Closed intents, which the audit still records. Open intents stay at any age."""
    # The limit is in the text: a plan for any limit reads all intents, to sort them.
    status = await conn.execute(
        f"""
        DELETE FROM intents WHERE id = ANY(ARRAY(
            SELECT i.id FROM connections c
            CROSS JOIN LATERAL (
                SELECT id FROM intents i
                WHERE i.connection_id = c.id AND i.created_at < $1
                  AND i.state <> 'open' AND i.closed_at < $1
                ORDER BY i.created_at LIMIT {int(limit)}) i
            LIMIT {int(limit)}))
        """,  # noqa: S608 - a number
        now - INTENTS_KEPT,
    )
    return int(status.rpartition(" ")[2])


async def vanished(conn: Connection, now: datetime, limit: int) -> int:
    """Mirrors removed by others, after the same time as the removals in the guard's windows.
    Withheld ones stay until they are decided."""
    return await _deleted(
        conn,
        """DELETE FROM vanished_mirrors WHERE (site_id, link_id, seen_at) IN (
               SELECT v.site_id, v.link_id, v.seen_at FROM connections c
               JOIN vanished_mirrors v ON v.connection_id = c.id
               WHERE v.counted_at < $1 OR (c.deleted_at < $1 AND v.seen_at < $1) LIMIT $2)""",
        now - INTENTS_KEPT,
        limit,
    )


async def resyncs(conn: Connection, now: datetime, limit: int) -> int:
    """Old resyncs, except dry runs of a shadow revision, which are part of its history."""
    return await _deleted(
        conn,
        """DELETE FROM resyncs WHERE id IN (
               SELECT id FROM resyncs WHERE finished_at < $1 AND revision IS NULL
               ORDER BY id LIMIT $2)""",
        now - RESYNCS_KEPT,
        limit,
    )


async def marks(conn: Connection, now: datetime, limit: int) -> int:
    """Marks of polls after a day, when no overlap of polls reaches them."""
    return await _deleted(
        conn,
        """DELETE FROM poll_marks WHERE (site_id, issue_id) IN (
               SELECT site_id, issue_id FROM poll_marks WHERE seen_at < $1
               ORDER BY seen_at LIMIT $2)""",
        now - MARKS_KEPT,
        limit,
    )


async def discoveries(conn: Connection, now: datetime, limit: int) -> int:
    """Discoveries of deleted connections, which no worker will claim."""
    return await _deleted(
        conn,
        """DELETE FROM discoveries WHERE (connection_id, side, issue_id) IN (
               SELECT d.connection_id, d.side, d.issue_id FROM connections c
               JOIN discoveries d ON d.connection_id = c.id
               WHERE c.deleted_at < $1 LIMIT $2)""",
        now,
        limit,
    )


async def write_minutes(conn: Connection, now: datetime, limit: int) -> int:
    """Counted writes that no window of the guard reaches any more."""
    return await _deleted(
        conn,
        """DELETE FROM write_minutes WHERE (connection_id, minute) IN (
               SELECT m.connection_id, m.minute FROM connections c
               JOIN write_minutes m ON m.connection_id = c.id
               WHERE m.minute < $1 LIMIT $2)""",
        now - MINUTES_KEPT,
        limit,
    )


async def dry_runs(conn: Connection, now: datetime, limit: int) -> int:
    """Plans of dry runs whose resync is forgotten, with their changes: no one can decide them."""
    return await _deleted(
        conn,
        """DELETE FROM plans WHERE id IN (
               SELECT p.id FROM plans p
               WHERE p.kind = 'dry_run' AND p.created_at < $1
                 AND NOT EXISTS (SELECT FROM resyncs r WHERE r.plan_id = p.id)
               ORDER BY p.id LIMIT least($2, 1))""",
        now - RESYNCS_KEPT,
        limit,
    )


async def verifications(conn: Connection, now: datetime, limit: int) -> int:
    """Old checks of the audit that found it whole; what one found broken stays."""
    return await _deleted(
        conn,
        """DELETE FROM audit_verifications WHERE id IN (
               SELECT id FROM audit_verifications
               WHERE status = 'accepted' AND finished_at < $1
                 AND id < (SELECT max(id) FROM audit_verifications WHERE status = 'accepted')
               ORDER BY id LIMIT $2)""",
        now - VERIFICATIONS_KEPT,
        limit,
    )


async def _deleted(conn: Connection, query: str, before: datetime, limit: int) -> int:
    status = await conn.execute(query, before, limit)
    return int(status.rpartition(" ")[2])
