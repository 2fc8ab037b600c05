"""Pairs that failed after all tries. The id of a failure is the id of its twin."""

from collections.abc import Sequence

from app.store.pool import Connection, Row

_SELECT = """
    SELECT w.twin_id AS id, w.connection_id, c.name AS connection, w.failure, w.failed_at,
           w.dirty_since, w.tries, w.cause_kind, w.cause_id,
           coalesce(w.dismissed_failure = w.failure, false) AS dismissed,
           w.dismissed_reason, w.dismissed_by, w.dismissed_at,
           t.left_issue_id, t.left_key, t.right_issue_id, t.right_key
    FROM work w JOIN connections c ON c.id = w.connection_id AND c.deleted_at IS NULL
    JOIN twins t ON t.id = w.twin_id
    WHERE w.failed_at IS NOT NULL
"""


async def page(
    conn: Connection,
    *,
    within: Sequence[int] | None,
    connection: str | None,
    dismissed: bool = False,
    after: int,
    limit: int,
) -> list[Row]:
    """Those that are shown, or with *dismissed* those that a person dismissed."""
    return await conn.fetch(
        f"""{_SELECT} AND w.twin_id > $1 AND ($2::bigint[] IS NULL OR c.id = ANY($2))
            AND ($3::text IS NULL OR c.name = $3)
            AND coalesce(w.dismissed_failure = w.failure, false) = $5
            ORDER BY w.twin_id LIMIT $4""",
        after,
        within,
        connection,
        limit,
        dismissed,
    )


async def by_id(conn: Connection, twin_id: int, within: Sequence[int] | None) -> Row | None:
    """One failure; with *within*, only of these connections."""
    return await conn.fetchrow(
        f"{_SELECT} AND w.twin_id = $1 AND ($2::bigint[] IS NULL OR c.id = ANY($2))",
        twin_id,
        within,
    )
