"""Polling: which site is due, up to when it was read, and what was seen before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.links import IssueId, Side
from app.store.pool import Connection

INTERVALS = {"cloud": timedelta(minutes=5), "datacenter": timedelta(minutes=1)}
WIDE_EVERY = timedelta(hours=1)
# The longest delay after failures: after an outage polling resumes soon, not a day later.
LONGEST_BACK_OFF = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Due:
    """A site that we have claimed. `until` is the start of the last successful poll; *wide*: this
    poll is one that reaches far back."""

    site_id: int
    name: str
    interval: timedelta
    until: datetime | None
    wide: bool


async def claim(conn: Connection, now: datetime) -> Due | None:
    """Claim a due site that a live connection uses. No other worker polls it until its interval
    has passed."""
    row = await conn.fetchrow(
        """
        SELECT s.id, s.name, s.deployment, s.polled_until,
               coalesce(s.widely_polled_at <= $2, true) AS wide
        FROM sites s
        WHERE s.poll_due_at <= $1
          AND EXISTS (SELECT FROM connections c WHERE s.id IN (c.left_site_id, c.right_site_id)
                      AND c.deleted_at IS NULL AND c.paused_at IS NULL)
          AND NOT EXISTS (SELECT FROM installation WHERE paused_at IS NOT NULL)
        ORDER BY s.poll_due_at LIMIT 1 FOR NO KEY UPDATE OF s SKIP LOCKED
        """,
        now,
        now - WIDE_EVERY,
    )
    if row is None:
        return None
    interval = INTERVALS[row["deployment"]]
    due = Due(row["id"], row["name"], interval, row["polled_until"], row["wide"])
    await renew(conn, due, now)
    return due


async def renew(conn: Connection, due: Due, now: datetime) -> None:
    """Renew the claim while pages are read."""
    await _due_at(conn, due, now + due.interval)


async def succeed(conn: Connection, due: Due, start: datetime, now: datetime) -> None:
    """Record a successful poll: every change before *start* has been seen."""
    await conn.execute(
        """UPDATE sites SET polled_until = greatest(polled_until, $2), poll_due_at = $3,
               widely_polled_at = CASE WHEN $4 THEN $2 ELSE widely_polled_at END
           WHERE id = $1""",
        due.site_id,
        start,
        now + due.interval,
        due.wide,
    )


async def put_off(conn: Connection, due: Due, now: datetime, *, least: float) -> datetime:
    """Due again later, the later the longer nothing succeeded; answers when. Nothing counts as
    polled."""
    behind = now - due.until if due.until is not None else timedelta(0)
    delay = max(due.interval, min(behind / 10, LONGEST_BACK_OFF), timedelta(seconds=least))
    await _due_at(conn, due, now + delay)
    return now + delay


async def connections_at(conn: Connection, site_id: int) -> list[tuple[int, Side]]:
    """Live connections of the site, with the side on which it is. Paused ones too: changes that
    they missed are stored as work, as those from webhooks are."""
    rows = await conn.fetch(
        """SELECT id, left_site_id = $1 AS is_left FROM connections
           WHERE $1 IN (left_site_id, right_site_id) AND deleted_at IS NULL ORDER BY id""",
        site_id,
    )
    return [(row["id"], Side.LEFT if row["is_left"] else Side.RIGHT) for row in rows]


async def unseen(
    conn: Connection, site_id: int, marks: Mapping[IssueId, bytes], now: datetime
) -> set[IssueId]:
    """Store these *marks*; returns the issues whose mark has changed."""
    rows = await conn.fetch(
        """
        WITH seen AS (SELECT * FROM unnest($2::bigint[], $3::bytea[]) AS s (issue_id, mark)),
        -- As it was before this statement: what the insert below writes is not visible here.
        known AS (
            SELECT m.issue_id, m.mark FROM poll_marks m JOIN seen s USING (issue_id)
            WHERE m.site_id = $1),
        put AS (
            INSERT INTO poll_marks (site_id, issue_id, mark, seen_at)
            SELECT $1, issue_id, mark, $4 FROM seen ORDER BY issue_id
            ON CONFLICT (site_id, issue_id) DO UPDATE SET
                mark = excluded.mark, seen_at = excluded.seen_at)
        SELECT s.issue_id FROM seen s LEFT JOIN known k USING (issue_id)
        WHERE k.mark IS DISTINCT FROM s.mark
        """,
        site_id,
        [int(issue) for issue in marks],
        list(marks.values()),
        now,
    )
    return {IssueId(str(row["issue_id"])) for row in rows}


async def claim_comparison(conn: Connection, before: datetime) -> int | None:
    """A connection that was last compared before *before*, locked until this transaction ends."""
    found: int | None = await conn.fetchval(
        """
        SELECT id FROM connections
        WHERE deleted_at IS NULL AND paused_at IS NULL
          AND (compared_at IS NULL OR compared_at < $1)
          AND NOT EXISTS (SELECT FROM installation WHERE paused_at IS NOT NULL)
        ORDER BY compared_at NULLS FIRST, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
        """,
        before,
    )
    return found


async def compared(conn: Connection, connection_id: int, now: datetime) -> None:
    """Record that a full comparison was requested at *now*."""
    await conn.execute("UPDATE connections SET compared_at = $2 WHERE id = $1", connection_id, now)


async def _due_at(conn: Connection, due: Due, at: datetime) -> None:
    await conn.execute("UPDATE sites SET poll_due_at = $2 WHERE id = $1", due.site_id, at)
