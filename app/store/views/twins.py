"""Lists of twins and of claims without a pair, for people."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.core.twin_claims import ClaimStatus
from app.store.pool import Connection, Row

_KEYS = ("left_key", "right_key", "left_moved_key", "right_moved_key")
"""The last two are of issues that moved out of scope: they name projects of other tenants."""


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
    conn: Connection,
    connection_id: int,
    *,
    issue: str | None,
    after: int,
    limit: int,
    confined: bool,
) -> list[TwinShown]:
    """Twins, oldest pair first. *issue* is a key of either side. A reader who is *confined* to
    connections sees and finds an issue that moved out of scope by its last key in scope: the one
    that it has now is another tenant's."""
    # Two statements: a query plan for both cases would read every twin of the connection.
    of_issue = "" if issue is None else f"AND {_named('$4', confined=confined)}"
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
    return [_twin(row, confined=confined) for row in rows]


def _named(key: str, *, confined: bool) -> str:
    columns = _KEYS[:2] if confined else _KEYS
    return "(" + " OR ".join(f"{column} = {key}" for column in columns) + ")"


async def of_issue(
    conn: Connection, issue: str, *, within: Sequence[int] | None, after: int, limit: int
) -> list[tuple[str, TwinShown]]:
    """The twins of an issue's key in every connection, with the connection's name. *within*: the
    connections that the reader may see; None for all."""
    confined = within is not None
    each = " UNION ".join(
        f"SELECT * FROM twins WHERE {column} = $1"  # noqa: S608 - column names of ours
        for column in (_KEYS[:2] if confined else _KEYS)
    )
    rows = await conn.fetch(
        f"""
        SELECT t.*, c.name AS connection FROM ({each}) t
        JOIN connections c ON c.id = t.connection_id AND c.deleted_at IS NULL
        WHERE ($2::bigint[] IS NULL OR c.id = ANY($2)) AND t.id > $3
        ORDER BY t.id LIMIT $4
        """,  # noqa: S608
        issue,
        within,
        after,
        limit,
    )
    return [(row["connection"], _twin(row, confined=confined)) for row in rows]


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


async def by_keys(
    conn: Connection, connection_id: int, keys: list[str], *, confined: bool
) -> dict[str, list[int]]:
    """Ids of the twins that have one of these keys on either side, by key; *confined* as in
    `page`."""
    each = " UNION ".join(
        f"SELECT id FROM twins WHERE {column} = k.key AND connection_id = $1"  # noqa: S608
        for column in (_KEYS[:2] if confined else _KEYS)
    )
    rows = await conn.fetch(
        f"""
        -- OFFSET 0 keeps one probe of an index a key and side, whatever the statistics say.
        SELECT k.key, t.id FROM unnest($2::text[]) AS k (key) CROSS JOIN LATERAL (
            {each} OFFSET 0) t
        ORDER BY t.id
        """,  # noqa: S608
        connection_id,
        keys,
    )
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row["key"], []).append(row["id"])
    return found


def _twin(row: Row, *, confined: bool) -> TwinShown:
    left, right = row["left_key"], row["right_key"]
    if not confined:
        left, right = row["left_moved_key"] or left, row["right_moved_key"] or right
    return TwinShown(
        id=row["id"],
        left=left,
        right=right,
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
