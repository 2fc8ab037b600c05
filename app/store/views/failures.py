"""Pairs that failed after all tries. The id of a failure is the id of its twin."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.links import IssueId, IssueKey, IssueRef
from app.store.pool import Connection, Row
from app.store.queue.work import Cause


@dataclass(frozen=True, slots=True)
class Dismissal:
    """A person's decision not to see a failure any more."""

    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FailureShown:
    """`failure` is the code of the last try. `dismissal` counts for this failure only: it is None
    once the pair fails for another cause."""

    id: int
    connection_id: int
    connection: str
    left: IssueRef
    right: IssueRef
    failure: str
    tries: int
    cause: Cause
    dirty_since: datetime
    failed_at: datetime
    dismissal: Dismissal | None


_SELECT = """
    SELECT w.twin_id AS id, w.connection_id, c.name AS connection, w.failure, w.failed_at,
           w.dirty_since, w.tries, w.cause_kind, w.cause_id,
           coalesce(w.dismissed_failure = w.failure, false) AS dismissed,
           w.dismissed_reason, w.dismissed_by, w.dismissed_at,
           t.left_issue_id, t.left_key, t.right_issue_id, t.right_key, t.left_moved_key,
           t.right_moved_key
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
) -> list[FailureShown]:
    """Those that are shown, or with *dismissed* those that a person dismissed."""
    rows = await conn.fetch(
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
    return [_shown(row, confined=within is not None) for row in rows]


async def by_id(
    conn: Connection, twin_id: int, within: Sequence[int] | None
) -> FailureShown | None:
    """One failure; with *within*, only of these connections."""
    row = await conn.fetchrow(
        f"{_SELECT} AND w.twin_id = $1 AND ($2::bigint[] IS NULL OR c.id = ANY($2))",
        twin_id,
        within,
    )
    return _shown(row, confined=within is not None) if row else None


def _shown(row: Row, *, confined: bool) -> FailureShown:
    """A *confined* reader sees an issue that moved out of scope by its last key in scope."""
    dismissal = Dismissal(row["dismissed_reason"], row["dismissed_by"], row["dismissed_at"])
    return FailureShown(
        id=row["id"],
        connection_id=row["connection_id"],
        connection=row["connection"],
        left=_issue(row, "left", confined=confined),
        right=_issue(row, "right", confined=confined),
        failure=row["failure"] or "",
        tries=row["tries"],
        cause=Cause(row["cause_kind"], row["cause_id"]),
        dirty_since=row["dirty_since"],
        failed_at=row["failed_at"],
        dismissal=dismissal if row["dismissed"] else None,
    )


def _issue(row: Row, side: str, *, confined: bool) -> IssueRef:
    moved = None if confined else row[f"{side}_moved_key"]
    return IssueRef(IssueId(str(row[f"{side}_issue_id"])), IssueKey(moved or row[f"{side}_key"]))
