"""Issues that the monitor must read: from polls and from deliveries about removed links."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from app.core.links import IssueId
from app.store.pool import Connection

# Inbox ids commit out of order, within the duration of one inbox transaction: seconds.
TRAILING = timedelta(minutes=5)
# Deliveries that one pass reads.
TAKEN = 1000


async def know_sites(conn: Connection, now: datetime) -> None:
    """Start watching a site at its registration; while its account is shared, from now."""
    await conn.execute(
        """
        INSERT INTO monitor_sites (site_id, since)
        SELECT id, CASE WHEN account_dedicated THEN created_at ELSE $1 END FROM sites s
        WHERE NOT account_dedicated
           OR NOT EXISTS (SELECT FROM monitor_sites m WHERE m.site_id = s.id)
        ORDER BY id
        ON CONFLICT (site_id) DO UPDATE SET since = excluded.since
        """,
        now,
    )


async def anything(conn: Connection, now: datetime) -> bool:
    """Whether there are deliveries to take, or to forget, or issues to read."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM monitor_issues WHERE generation > done AND due_at <= $1)
            OR EXISTS (SELECT FROM monitor_deliveries WHERE received_at < $2)
            OR EXISTS (
                SELECT FROM inbox i
                WHERE i.kind = 'link_deleted' AND i.id > (SELECT inbox_id FROM monitor_mark)
                  -- Of one delivery after another: the first that was not taken is enough.
                  AND NOT EXISTS (
                      SELECT FROM monitor_deliveries d WHERE d.inbox_id = i.id OFFSET 0))
        """,
        now,
        now - TRAILING,
    )
    return found


async def take_deliveries(conn: Connection, now: datetime) -> int:
    """Raise the issues that new deliveries about removed links name; returns how many deliveries
    were read. Does nothing while another worker does this."""
    mark = await conn.fetchval("SELECT inbox_id FROM monitor_mark FOR UPDATE SKIP LOCKED")
    if mark is None:
        return 0
    taken = await conn.fetch(
        """
        INSERT INTO monitor_deliveries (inbox_id, received_at)
        SELECT id, received_at FROM inbox i
        WHERE kind = 'link_deleted' AND id > $1
          AND NOT EXISTS (SELECT FROM monitor_deliveries d WHERE d.inbox_id = i.id)
        ORDER BY id LIMIT $2 RETURNING inbox_id
        """,
        mark,
        TAKEN,
    )
    named = await conn.fetch(
        """
        SELECT DISTINCT i.site_id, e.id FROM inbox i
        CROSS JOIN LATERAL (VALUES (i.source_id), (i.destination_id)) AS e (id)
        WHERE i.id = ANY($1::bigint[]) AND e.id IS NOT NULL
        """,
        [row["inbox_id"] for row in taken],
    )
    await _raise(conn, [(row["site_id"], row["id"], None) for row in named], now)
    await conn.execute(
        """
        WITH past AS (DELETE FROM monitor_deliveries WHERE received_at < $1 RETURNING inbox_id)
        UPDATE monitor_mark SET inbox_id = (SELECT max(inbox_id) FROM past)
        WHERE EXISTS (SELECT FROM past WHERE past.inbox_id > monitor_mark.inbox_id)
        """,
        now - TRAILING,
    )
    return len(taken)


async def raise_updated(
    conn: Connection, site_id: int, updated: Mapping[IssueId, str | None], now: datetime
) -> None:
    """Issues that a poll shows, with when each changed: what did not change since is left out,
    so that the overlap of polls reads nothing twice."""
    await _raise(conn, [(site_id, int(issue), at) for issue, at in updated.items()], now)


async def _raise(
    conn: Connection, issues: Iterable[tuple[int, int, str | None]], now: datetime
) -> None:
    those = sorted(issues, key=lambda it: it[:2])
    await conn.execute(
        """
        INSERT INTO monitor_issues AS m (site_id, issue_id, updated, due_at)
        SELECT s, i, u, $4 FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS r (s, i, u)
        ON CONFLICT (site_id, issue_id) DO UPDATE SET
            generation = m.generation + 1, tries = 0,
            updated = coalesce(excluded.updated, m.updated),
            -- A claim that is being worked off keeps its lease: what comes now is read after it.
            due_at = CASE WHEN m.generation > m.done THEN m.due_at ELSE $4 END
        WHERE excluded.updated IS NULL OR excluded.updated IS DISTINCT FROM m.updated
        """,
        [site for site, _, _ in those],
        [issue for _, issue, _ in those],
        [at for _, _, at in those],
        now,
    )
