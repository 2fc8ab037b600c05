"""Delete old rows in batches, so that each lock is short."""

from datetime import datetime, timedelta

from app.store.pool import Connection

DELIVERIES_KEPT = timedelta(days=14)
INTENTS_KEPT = timedelta(days=14)
RESYNCS_KEPT = timedelta(days=30)
MARKS_KEPT = timedelta(days=1)


async def deliveries(conn: Connection, now: datetime, limit: int) -> int:
    """Old rows of the inbox, except those that queued work still needs."""
    return await _deleted(
        conn,
        """
        -- Collected once, not looked up per row: causes have no index, and few rows have any.
        WITH named AS MATERIALIZED (
            SELECT DISTINCT unnest(causes) AS id FROM work WHERE generation > done)
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
    return await _deleted(
        conn,
        """
        DELETE FROM intents WHERE id IN (
            SELECT i.id FROM connections c
            CROSS JOIN LATERAL (
                SELECT id FROM intents i
                WHERE i.connection_id = c.id AND i.created_at < $1
                  AND i.state <> 'open' AND i.closed_at < $1
                ORDER BY i.created_at LIMIT $2) i
            LIMIT $2)
        """,
        now - INTENTS_KEPT,
        limit,
    )


async def vanished(conn: Connection, now: datetime, limit: int) -> int:
    """Mirrors removed by others, after the same time as the removals in the guard's windows.
    Withheld ones stay until they are decided."""
    return await _deleted(
        conn,
        """DELETE FROM vanished_mirrors WHERE (site_id, link_id) IN (
               SELECT v.site_id, v.link_id FROM connections c
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


async def _deleted(conn: Connection, query: str, before: datetime, limit: int) -> int:
    status = await conn.execute(query, before, limit)
    return int(status.rpartition(" ")[2])
