"""The issues that the monitor reads, its progress, and its findings. One row per issue, with the
semantics of `work`: an event raises the generation, a claim has a lease and a fence.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.links import IssueId
from app.core.monitor import Judged
from app.store.pool import Connection, Row

# Both ends of a removal are written within moments; their clocks are one.
SAME_REMOVAL = timedelta(seconds=10)
# Reading an issue from its site's beginning again does no harm; keeping every row would.
KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An issue that we have claimed. Removals before `since` are judged already, or not ours."""

    site: int
    issue: IssueId
    generation: int
    fence: int
    since: datetime
    tries: int


async def claim(conn: Connection, *, now: datetime, size: int, lease: timedelta) -> list[Candidate]:
    """Claim issues of sites with a dedicated account, in key order, and end those of others."""
    await conn.execute(
        """UPDATE monitor_issues m SET done = generation FROM sites s
           WHERE m.generation > m.done AND s.id = m.site_id AND NOT s.account_dedicated"""
    )
    rows = await conn.fetch(
        """
        UPDATE monitor_issues m SET due_at = $2, fence = nextval('fences')
        FROM monitor_sites s
        WHERE s.site_id = m.site_id AND (m.site_id, m.issue_id) IN (
            SELECT site_id, issue_id FROM monitor_issues
            WHERE generation > done AND due_at <= $1
            ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
        RETURNING m.*, greatest(m.judged_until, s.since) AS since
        """,
        now,
        now + lease,
        size,
    )
    rows.sort(key=lambda row: (row["site_id"], row["issue_id"]))
    return [_candidate(row) for row in rows]


async def settle(
    conn: Connection, candidates: Iterable[Candidate], until: datetime | None, now: datetime
) -> None:
    """Record that these issues are judged up to *until*. An issue that was raised meanwhile is due
    at once; an issue that another worker has claimed since stays with it."""
    those = list(candidates)
    await conn.execute(
        """
        UPDATE monitor_issues m SET done = u.generation, tries = 0, due_at = $6,
            judged_until = greatest(m.judged_until, $5)
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
             AS u (site, issue, generation, fence)
        WHERE m.site_id = u.site AND m.issue_id = u.issue AND m.fence = u.fence
        """,
        [it.site for it in those],
        [int(it.issue) for it in those],
        [it.generation for it in those],
        [it.fence for it in those],
        until,
        now,
    )


async def put_off(conn: Connection, candidates: Iterable[Candidate], until: datetime) -> None:
    """Read these issues again after *until*."""
    those = list(candidates)
    await conn.execute(
        """
        UPDATE monitor_issues m SET tries = tries + 1, due_at = $4
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS u (site, issue, fence)
        WHERE m.site_id = u.site AND m.issue_id = u.issue AND m.fence = u.fence
        """,
        [it.site for it in those],
        [int(it.issue) for it in those],
        [it.fence for it in those],
        until,
    )


async def lock(conn: Connection, candidates: Iterable[Candidate]) -> None:
    """Before `settle` and `put_off`, in key order, as those who raise take them: an update by
    itself takes them in any. After every other lock."""
    those = sorted(candidates, key=lambda it: (it.site, int(it.issue)))
    await conn.execute(
        """SELECT 1 FROM monitor_issues m
           JOIN unnest($1::bigint[], $2::bigint[]) AS u (site, issue)
             ON m.site_id = u.site AND m.issue_id = u.issue
           ORDER BY m.site_id, m.issue_id FOR UPDATE OF m""",
        [it.site for it in those],
        [int(it.issue) for it in those],
    )


async def waiting(conn: Connection) -> int:
    """How many issues the monitor still has to read, over all sites."""
    total: int = await conn.fetchval("SELECT count(*) FROM monitor_issues WHERE generation > done")
    return total


async def note(
    conn: Connection, site_id: int, issue: IssueId, found: Judged, now: datetime
) -> bool:
    """Keep a finding. False: it is known, from before or from the other end. The caller holds
    the site's lock."""
    return bool(
        await conn.fetchval(
            """
            INSERT INTO monitor_findings (site_id, place, issue_id, history_id, removed_at,
                verdict, found_at)
            SELECT $1, $2, $3, $4, $5, $6, $7
            WHERE NOT EXISTS (
                SELECT FROM monitor_findings WHERE site_id = $1 AND place = $2
                  AND removed_at BETWEEN $5::timestamptz - $8::interval
                                     AND $5::timestamptz + $8::interval)
            RETURNING true
            """,
            site_id,
            found.place,
            int(issue),
            found.change.history_id,
            found.change.at,
            found.verdict.value,
            now,
            SAME_REMOVAL,
        )
    )


async def purge(conn: Connection, now: datetime, limit: int) -> int:
    """Delete up to *limit* issues that were judged long ago; returns how many."""
    status = await conn.execute(
        """DELETE FROM monitor_issues WHERE (site_id, issue_id) IN (
               SELECT site_id, issue_id FROM monitor_issues
               WHERE generation = done AND judged_until < $1 ORDER BY judged_until LIMIT $2)""",
        now - KEPT,
        limit,
    )
    return int(status.rpartition(" ")[2])


def _candidate(row: Row) -> Candidate:
    return Candidate(
        row["site_id"],
        IssueId(str(row["issue_id"])),
        row["generation"],
        row["fence"],
        row["since"],
        row["tries"],
    )
