"""Webhook deliveries that were accepted, as people see them."""

from collections.abc import Sequence
from datetime import datetime

from app.store.pool import Connection, Row


async def page(
    conn: Connection,
    *,
    connections: Sequence[str] | None,
    site: str | None,
    kind: str | None,
    since: datetime | None,
    before: int,
    limit: int,
) -> list[Row]:
    """Newest first. With *connections*: only of sites that one of those joins."""
    return await conn.fetch(
        """
        SELECT i.*, s.name AS site FROM inbox i JOIN sites s ON s.id = i.site_id
        WHERE i.id < $1
          AND ($2::text[] IS NULL OR EXISTS (SELECT 1 FROM connections c
               WHERE c.name = ANY($2) AND c.deleted_at IS NULL
                 AND s.id IN (c.left_site_id, c.right_site_id)))
          AND ($3::text IS NULL OR s.name = $3) AND ($4::text IS NULL OR i.kind = $4)
          AND ($5::timestamptz IS NULL OR i.received_at >= $5)
        ORDER BY i.id DESC LIMIT $6
        """,
        before,
        connections,
        site,
        kind,
        since,
        limit,
    )
