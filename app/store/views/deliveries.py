"""Accepted webhook deliveries, for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.store.columns import from_row
from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class DeliveryShown:
    """What is kept of a delivery; its text is not. `kind` is the name that the parser gives to
    Jira's event. `late`: it happened more than a day before it came."""

    id: int
    site: str
    delivery: str
    kind: str
    received_at: datetime
    occurred_at: datetime | None
    late: bool
    issue_id: int | None
    link_id: int | None
    type_id: int | None
    source_id: int | None
    destination_id: int | None
    fields: list[str]


async def page(
    conn: Connection,
    *,
    within: Sequence[int] | None,
    site: str | None,
    kind: str | None,
    since: datetime | None,
    before: int,
    limit: int,
) -> list[DeliveryShown]:
    """Deliveries, newest first. With *within*, only those in which every issue has a twin in one of
    these connections: issues of another tenant on the same site are not shown."""
    rows = await conn.fetch(
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
    return [from_row(DeliveryShown, row) for row in rows]
