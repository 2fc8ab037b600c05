"""Accepted webhook deliveries, for people."""

from collections.abc import Sequence
from datetime import datetime

from app.store.pool import Connection, Row


async def page(
    conn: Connection,
    *,
    within: Sequence[int] | None,
    site: str | None,
    kind: str | None,
    since: datetime | None,
    before: int,
    limit: int,
) -> list[Row]:
    """Deliveries, newest first. With *within*, only those in which every issue has a twin in one of
    these connections: issues of another tenant on the same site are not shown."""
    return await conn.fetch(
        """
        SELECT i.*, s.name AS site,
               coalesce(i.occurred_at < i.received_at - interval '1 day', false) AS late
        FROM inbox i JOIN sites s ON s.id = i.site_id
        WHERE i.id < $1
          AND ($2::bigint[] IS NULL OR (
               num_nonnulls(i.issue_id, i.source_id, i.destination_id) > 0
               AND NOT EXISTS (
                   SELECT FROM unnest(ARRAY[i.issue_id, i.source_id, i.destination_id]) named (id)
                   WHERE named.id IS NOT NULL AND NOT EXISTS (
                       SELECT FROM twins t WHERE t.connection_id = ANY($2)
                         AND ((t.left_site_id = i.site_id AND t.left_issue_id = named.id)
                           OR (t.right_site_id = i.site_id AND t.right_issue_id = named.id))))))
          AND ($3::text IS NULL OR s.name = $3) AND ($4::text IS NULL OR i.kind = $4)
          AND ($5::timestamptz IS NULL OR i.received_at >= $5)
        ORDER BY i.id DESC LIMIT $6
        """,
        before,
        within,
        site,
        kind,
        since,
        limit,
    )
