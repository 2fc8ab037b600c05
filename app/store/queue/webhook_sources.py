"""Sites as senders of webhooks: their secrets, and their refused deliveries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.store.pool import Connection
from app.store.secret_homes import Home

REJECTIONS = 5
WINDOW = timedelta(minutes=10)
"""Jira never repeats what it was refused: this many in this time are taken for lost events."""
COMPARISON_GAP = timedelta(hours=1)
"""Between two comparisons that refused deliveries make necessary, per connection: anybody can
forge deliveries, and a comparison costs a part of the site's budget."""


@dataclass(frozen=True, slots=True)
class SealedSender:
    """One site with its sealed secrets. `flagged`: a comparison is owed and allowed now (see
    `reject` and `owe_comparison`)."""

    id: int
    name: str
    home: Home
    secret: bytes
    previous: bytes | None
    previous_until: datetime | None
    flagged: bool
    basic: bool


async def load_senders(conn: Connection, *, now: datetime) -> list[SealedSender]:
    """All sites: they are few, and one statement answers for every name that is asked for."""
    rows = await conn.fetch(
        """
        SELECT id, name, webhook_secret_sealed, previous_secret_sealed, previous_secret_until,
               rejected_recent >= $1 OR coalesce(comparison_due_at <= $2, false) AS flagged,
               webhook_basic, base_url, identity, ca_certificates
        FROM sites
        """,
        REJECTIONS,
        now,
    )
    return [_sender(*row.values()) for row in rows]


def _sender(site_id: int, name: str, *row: Any) -> SealedSender:
    *fields, base_url, identity, authorities = row
    home = Home(name, base_url, identity, authorities)
    return SealedSender(site_id, name, home, *fields)


async def reject(conn: Connection, counts: Mapping[int, int], *, now: datetime) -> set[int]:
    """Count refused deliveries per site id; the answer holds the sites that are flagged now.

    The window begins with its first refusal. Once flagged, a site stays so until
    `owe_comparison` takes the flag, however long no valid delivery comes.
    """
    rows = await conn.fetch(
        """
        UPDATE sites s SET
            rejected_total = s.rejected_total + refused.n,
            rejected_last = $3,
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

    In one transaction, so that the flag is not gone without them. A connection needs none that has
    one queued, or one that began after the last refusal. One that had its last less than
    `COMPARISON_GAP` ago waits for the rest of it, and the site is flagged again then.
    """
    since = await conn.fetchval(
        """SELECT greatest(comparison_since, CASE WHEN rejected_recent >= $2
                      THEN coalesce(rejected_last, rejected_since, $3) END)
           FROM sites
           WHERE id = $1 AND (rejected_recent >= $2 OR comparison_due_at <= $3)
           FOR NO KEY UPDATE""",
        site_id,
        REJECTIONS,
        now,
    )
    if since is None:
        return 0
    row = await conn.fetchrow(_OWE, site_id, now, since, now - COMPARISON_GAP)
    assert row is not None
    due: datetime | None = row["last"] and row["last"] + COMPARISON_GAP
    await conn.execute(
        """UPDATE sites SET rejected_recent = 0, rejected_since = NULL,
                  comparison_since = $2, comparison_due_at = $3
           WHERE id = $1""",
        site_id,
        since if due else None,
        due,
    )
    queued: int = row["queued"]
    return queued


_OWE = """
WITH owed AS (
    SELECT c.id, (SELECT max(r.created_at) FROM resyncs r
                  WHERE r.connection_id = c.id AND r.cause = 'rejected_deliveries'
                    AND r.created_at > $4) AS last
    FROM connections c
    WHERE $1 IN (c.left_site_id, c.right_site_id) AND c.deleted_at IS NULL
      AND NOT EXISTS (
          SELECT FROM resyncs r
          WHERE r.connection_id = c.id AND r.cause = 'rejected_deliveries'
            AND NOT r.cancel_requested AND r.status NOT IN ('failed', 'cancelled')
            AND (r.status = 'queued' OR r.created_at > $3))
),
queued AS (
    INSERT INTO resyncs (connection_id, cause, requested_by, created_at)
    SELECT id, 'rejected_deliveries', '', $2 FROM owed WHERE last IS NULL ORDER BY id
    RETURNING id
)
SELECT (SELECT count(*) FROM queued) AS queued, max(last) AS last FROM owed
"""
