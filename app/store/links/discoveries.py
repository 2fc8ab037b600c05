"""Discoveries: issues whose twin field must be read again, after a webhook, poll or resync.

A claim is a lease (`due_at` moves forward) and a fence. Commits for a row, and its end, require
that its generation and its fence have not changed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.links import IssueId, Side
from app.store.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class Discovery:
    """One issue that we have claimed."""

    connection_id: int
    side: Side
    issue: IssueId
    cause: str
    generation: int
    tries: int
    fence: int


async def claim(
    conn: Connection, *, now: datetime, size: int, lease: float, connection_id: int | None = None
) -> list[Discovery]:
    """Claim up to *size* due issues of connections that are not paused, for *lease* seconds."""
    rows = await conn.fetch(
        """
        -- One probe for each connection that has any: of one that is paused, no issue is read.
        WITH RECURSIVE heads (connection_id, due_at) AS (
            (SELECT connection_id, due_at FROM discoveries
             WHERE connection_id >= coalesce($4, 0)
               AND connection_id <= coalesce($4, 9223372036854775807)
             ORDER BY connection_id, due_at LIMIT 1)
            UNION ALL
            SELECT following.* FROM heads h CROSS JOIN LATERAL (
                SELECT connection_id, due_at FROM discoveries
                WHERE connection_id > h.connection_id AND $4::bigint IS NULL
                ORDER BY connection_id, due_at LIMIT 1) following),
        due AS MATERIALIZED (
            SELECT d.* FROM (
                SELECT h.connection_id FROM heads h JOIN connections c ON c.id = h.connection_id
                 AND c.paused_at IS NULL AND c.deleted_at IS NULL
                WHERE h.due_at <= $1
                  AND NOT EXISTS (SELECT FROM installation WHERE paused_at IS NOT NULL)
                ORDER BY h.due_at, h.connection_id) r
            CROSS JOIN LATERAL (
                SELECT connection_id, side, issue_id FROM discoveries
                WHERE connection_id = r.connection_id AND due_at <= $1
                ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED) d
            LIMIT $2),
        fence AS MATERIALIZED (SELECT nextval('fences') AS fence)
        UPDATE discoveries d SET due_at = $3, fence = f.fence
        FROM due, fence f
        WHERE d.connection_id = due.connection_id AND d.side = due.side
          AND d.issue_id = due.issue_id
        RETURNING d.*
        """,
        now,
        size,
        now + timedelta(seconds=lease),
        connection_id,
    )
    return [_discovery(row) for row in rows]


async def standing(conn: Connection, claimed: Sequence[Discovery]) -> set[IssueId]:
    """The issues among *claimed* (one connection and side) that nothing has touched since.

    Takes no lock: ingest locks work before discoveries, and callers lock work later. `end` checks
    again.
    """
    rows = await conn.fetch(
        """
        SELECT d.issue_id FROM discoveries d
        JOIN unnest($3::bigint[], $4::bigint[], $5::bigint[]) u (issue_id, generation, fence)
          ON u.issue_id = d.issue_id AND u.generation = d.generation AND u.fence = d.fence
        WHERE d.connection_id = $1 AND d.side = $2
        """,
        *_keys(claimed),
    )
    return {IssueId(str(row["issue_id"])) for row in rows}


async def end(conn: Connection, claimed: Sequence[Discovery]) -> int:
    """Delete the issues that no event has touched since they were claimed; returns how many."""
    if not claimed:
        return 0
    rows = await conn.fetch(
        """
        DELETE FROM discoveries d
        USING unnest($3::bigint[], $4::bigint[], $5::bigint[]) u (issue_id, generation, fence)
        WHERE d.connection_id = $1 AND d.side = $2 AND d.issue_id = u.issue_id
          AND d.generation = u.generation AND d.fence = u.fence
        RETURNING 1
        """,
        *_keys(claimed),
    )
    return len(rows)


async def put_off(
    conn: Connection, claimed: Sequence[Discovery], *, now: datetime, seconds: Sequence[float]
) -> None:
    """Due again after as many *seconds* each, with one more try counted. A row that an event
    has raised since stays due."""
    if not claimed:
        return
    await conn.execute(
        """
        UPDATE discoveries d SET due_at = $6::timestamptz + make_interval(secs => u.seconds),
               tries = d.tries + 1
        FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $7::float8[])
             u (issue_id, generation, fence, seconds)
        WHERE d.connection_id = $1 AND d.side = $2 AND d.issue_id = u.issue_id
          AND d.generation = u.generation AND d.fence = u.fence
        """,
        *_keys(claimed),
        now,
        list(seconds),
    )


async def raise_issues(
    conn: Connection,
    connection_id: int,
    side: Side,
    issues: Iterable[IssueId],
    *,
    cause: str,
    now: datetime,
) -> int:
    """Request that the twin fields of *issues* are read; returns how many."""
    wanted = sorted({int(issue) for issue in issues})
    if wanted:
        await conn.execute(
            """
            INSERT INTO discoveries AS d (connection_id, side, issue_id, cause, due_at, created_at)
            SELECT $1, $2, id, $4, $5, $5 FROM unnest($3::bigint[]) id ORDER BY id
            ON CONFLICT (connection_id, side, issue_id) DO UPDATE SET
                generation = d.generation + 1, cause = excluded.cause,
                due_at = least(d.due_at, excluded.due_at)
            """,
            connection_id,
            side.value,
            wanted,
            cause,
            now,
        )
    return len(wanted)


def _keys(claimed: Sequence[Discovery]) -> tuple[int, str, list[int], list[int], list[int]]:
    first = claimed[0]
    return (
        first.connection_id,
        first.side.value,
        [int(it.issue) for it in claimed],
        [it.generation for it in claimed],
        [it.fence for it in claimed],
    )


def _discovery(row: Row) -> Discovery:
    return Discovery(
        connection_id=row["connection_id"],
        side=Side(row["side"]),
        issue=IssueId(str(row["issue_id"])),
        cause=row["cause"],
        generation=row["generation"],
        tries=row["tries"],
        fence=row["fence"],
    )
