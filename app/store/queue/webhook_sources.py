"""Sites as senders of webhooks: their secrets, and the deliveries of theirs that were refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.store.pool import Connection

REJECTIONS = 5
WINDOW = timedelta(minutes=10)
"""Jira never repeats what it was refused: this many in this time are taken for lost events."""


@dataclass(frozen=True, slots=True)
class SealedSender:
    """One site with its sealed secrets. `flagged`: a comparison is owed (see `reject`)."""

    id: int
    name: str
    secret: bytes
    previous: bytes | None
    previous_until: datetime | None
    flagged: bool


async def load_senders(conn: Connection) -> list[SealedSender]:
    """All sites: they are few, and one statement answers for every name that is asked for."""
    rows = await conn.fetch(
        """
        SELECT id, name, webhook_secret_sealed, previous_secret_sealed, previous_secret_until,
               rejected_recent >= $1 AS flagged
        FROM sites
        """,
        REJECTIONS,
    )
    return [SealedSender(*row.values()) for row in rows]


async def reject(conn: Connection, counts: Mapping[int, int], *, now: datetime) -> set[int]:
    """Count refused deliveries per site id; the answer holds the sites that are flagged now.

    The window begins with its first refusal. Once flagged, a site stays so until
    `owe_comparison` takes the flag, however long no valid delivery comes.
    """
    rows = await conn.fetch(
        """
        UPDATE sites s SET
            rejected_total = s.rejected_total + refused.n,
            rejected_recent = CASE WHEN kept THEN s.rejected_recent + refused.n
                ELSE refused.n END,
            rejected_since = CASE WHEN kept THEN s.rejected_since ELSE $3 END
        FROM (
            SELECT site.id, counted.n,
                   site.rejected_recent >= $4 OR coalesce(site.rejected_since > $5, false) AS kept
            FROM unnest($1::bigint[], $2::integer[]) AS counted (id, n)
            JOIN sites site ON site.id = counted.id
            ORDER BY site.id FOR NO KEY UPDATE OF site
        ) refused
        WHERE s.id = refused.id
        RETURNING s.id, s.rejected_recent >= $4 AS flagged
        """,
        list(counts.keys()),
        list(counts.values()),
        now,
        REJECTIONS,
        now - WINDOW,
    )
    return {row["id"] for row in rows if row["flagged"]}


async def owe_comparison(conn: Connection, site_id: int, *, now: datetime) -> int:
    """Take the site's flag and queue a comparison of each of its connections. Returns how many.

    In one transaction, so that the flag is not gone without them; a connection that has such a
    comparison queued already gets no second one. Nothing to do is 0.
    """
    taken = await conn.fetchval(
        """
        UPDATE sites SET rejected_recent = 0, rejected_since = NULL
        WHERE id = $1 AND rejected_recent >= $2
        RETURNING id
        """,
        site_id,
        REJECTIONS,
    )
    if taken is None:
        return 0
    rows = await conn.fetch(
        """
        INSERT INTO resyncs (connection_id, cause, requested_by, created_at)
        SELECT c.id, 'rejected_deliveries', '', $2
        FROM connections c
        WHERE $1 IN (c.left_site_id, c.right_site_id) AND c.deleted_at IS NULL
          AND NOT EXISTS (
              SELECT FROM resyncs r
              WHERE r.connection_id = c.id AND r.status = 'queued'
                AND r.cause = 'rejected_deliveries' AND NOT r.cancel_requested)
        ORDER BY c.id
        RETURNING id
        """,
        site_id,
        now,
    )
    return len(rows)
