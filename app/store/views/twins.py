"""Lists of twins and of claims without a pair, for people."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.core.twin_claims import ClaimStatus
from app.store.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class TwinShown:
    """`id` is None for a claim that paired nothing; then one of the issue ids may be unknown."""

    id: int | None
    left: str
    right: str
    left_id: str | None
    right_id: str | None
    status: ClaimStatus
    detail: str
    suspended: str | None
    source: str
    at: datetime
    position: int | str


async def page(
    conn: Connection, connection_id: int, *, issue: str | None, after: int, limit: int
) -> list[TwinShown]:
    """Twins, oldest pair first. *issue* is a key of either side."""
    # Two statements: a query plan for both cases would read every twin of the connection.
    of_issue = "" if issue is None else "AND (left_key = $4 OR right_key = $4)"
    rows = await conn.fetch(
        f"""
        SELECT * FROM twins WHERE connection_id = $1 AND id > $2 {of_issue}
        ORDER BY id LIMIT $3
        """,  # noqa: S608 - conditions of ours, values bound
        connection_id,
        after,
        limit,
        *([] if issue is None else [issue]),
    )
    return [_twin(row) for row in rows]


async def of_issue(
    conn: Connection, issue: str, *, within: Sequence[int] | None, after: int, limit: int
) -> list[tuple[str, TwinShown]]:
    """The twins of an issue's key in every connection, with the connection's name. *within*: the
    connections that the reader may see; None for all."""
    rows = await conn.fetch(
        """
        SELECT t.*, c.name AS connection FROM (
            SELECT * FROM twins WHERE left_key = $1 UNION SELECT * FROM twins WHERE right_key = $1
        ) t JOIN connections c ON c.id = t.connection_id AND c.deleted_at IS NULL
        WHERE ($2::bigint[] IS NULL OR c.id = ANY($2)) AND t.id > $3
        ORDER BY t.id LIMIT $4
        """,
        issue,
        within,
        after,
        limit,
    )
    return [(row["connection"], _twin(row)) for row in rows]


async def claims(
    conn: Connection,
    connection_id: int,
    *,
    status: ClaimStatus,
    issue: str | None,
    after: str,
    limit: int,
    confined: bool = False,
) -> list[TwinShown]:
    """Claims without a pair, in the order of side and issue. A reader who is *confined* to
    connections does not learn which issues there are outside their scope: there, a claim on one is
    a claim on an unknown one."""
    wanted = [status]
    if confined and status is ClaimStatus.UNKNOWN_ISSUE:
        wanted.append(ClaimStatus.WRONG_PROJECT)
    elif confined and status is ClaimStatus.WRONG_PROJECT:
        wanted = []
    side, _, issue_id = after.partition(":")
    rows = await conn.fetch(
        """
        SELECT * FROM twin_claims WHERE connection_id = $1 AND status = ANY($2)
          AND ($3::text IS NULL OR issue_key = $3 OR claimed_key = $3)
          AND (side, issue_id) > ($4, $5)
        ORDER BY side, issue_id LIMIT $6
        """,
        connection_id,
        wanted,
        issue,
        side,
        int(issue_id) if issue_id.isdecimal() else 0,
        limit,
    )
    return [replace(_claim(row), status=status) for row in rows]


async def by_keys(conn: Connection, connection_id: int, keys: list[str]) -> dict[str, list[int]]:
    """Ids of the twins that have one of these keys on either side, by key."""
    rows = await conn.fetch(
        """
        -- OFFSET 0 keeps one probe of an index a key and side, whatever the statistics say.
        SELECT k.key, t.id FROM unnest($2::text[]) AS k (key) CROSS JOIN LATERAL (
            SELECT id FROM twins WHERE left_key = k.key AND connection_id = $1
            UNION SELECT id FROM twins WHERE right_key = k.key AND connection_id = $1
            OFFSET 0) t
        ORDER BY t.id
        """,
        connection_id,
        keys,
    )
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row["key"], []).append(row["id"])
    return found


def _twin(row: Row) -> TwinShown:
    return TwinShown(
        id=row["id"],
        left=row["left_key"],
        right=row["right_key"],
        left_id=str(row["left_issue_id"]),
        right_id=str(row["right_issue_id"]),
        status=ClaimStatus.PAIRED,
        detail="",
        suspended=row["suspended"],
        source=row["source"],
        at=row["created_at"],
        position=row["id"],
    )


def _claim(row: Row) -> TwinShown:
    claimed = None if row["claimed_issue_id"] is None else str(row["claimed_issue_id"])
    own, other = (row["issue_key"], str(row["issue_id"])), (row["claimed_key"], claimed)
    left, right = (own, other) if row["side"] == "left" else (other, own)
    return TwinShown(
        id=None,
        left=left[0],
        right=right[0],
        left_id=left[1],
        right_id=right[1],
        status=ClaimStatus(row["status"]),
        detail=f"{row['issue_key']} claims {row['claimed_key']}",
        suspended=None,
        source="field",
        at=row["seen_at"],
        position=f"{row['side']}:{row['issue_id']}",
    )
