"""Claims: the keys in twin fields, and their results. One row per issue with text in the field.

Of the text only the key is stored, or an empty text if it has none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.links import IssueId, IssueKey, IssueRef, ProjectKey, Side
from app.core.twin_claims import ClaimStatus
from app.store.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class Claim:
    """`issue` says that it belongs to `key`. `target` is the id behind that key, known
    only where both issues are in scope: then the claim counts for or against others."""

    issue: IssueRef
    key: str
    target: IssueId | None
    status: ClaimStatus


async def of_issues(
    conn: Connection, connection_id: int, side: Side, issues: Iterable[IssueId]
) -> dict[IssueId, Claim]:
    rows = await conn.fetch(
        """SELECT * FROM twin_claims
           WHERE connection_id = $1 AND side = $2 AND issue_id = ANY($3::bigint[])""",
        connection_id,
        side.value,
        [int(issue) for issue in issues],
    )
    return {claim.issue.id: claim for claim in map(_claim, rows)}


async def on_targets(
    conn: Connection, connection_id: int, side: Side, targets: Iterable[IssueId]
) -> dict[IssueId, list[Claim]]:
    """All claims of issues on this side, by the target in *targets*."""
    rows = await conn.fetch(
        """SELECT * FROM twin_claims
           WHERE connection_id = $1 AND side = $2 AND claimed_issue_id = ANY($3::bigint[])
           ORDER BY issue_id""",
        connection_id,
        side.value,
        [int(target) for target in targets],
    )
    found: dict[IssueId, list[Claim]] = {}
    for claim in map(_claim, rows):
        assert claim.target is not None
        found.setdefault(claim.target, []).append(claim)
    return found


async def put(
    conn: Connection, connection_id: int, side: Side, claims: Sequence[Claim], now: datetime
) -> None:
    """Store the present state of *claims*. Run under the connection's lock."""
    await conn.executemany(
        """
        INSERT INTO twin_claims (connection_id, side, issue_id, issue_key, claimed_key,
                                 claimed_issue_id, status, seen_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (connection_id, side, issue_id) DO UPDATE SET
            issue_key = excluded.issue_key, claimed_key = excluded.claimed_key,
            claimed_issue_id = excluded.claimed_issue_id, status = excluded.status,
            seen_at = excluded.seen_at
        """,
        [
            (
                connection_id,
                side.value,
                int(claim.issue.id),
                claim.issue.key,
                claim.key,
                None if claim.target is None else int(claim.target),
                claim.status,
                now,
            )
            for claim in claims
        ],
    )


async def drop(conn: Connection, connection_id: int, side: Side, issues: Iterable[IssueId]) -> None:
    """Delete the claims of these issues of one side."""
    await conn.execute(
        """DELETE FROM twin_claims
           WHERE connection_id = $1 AND side = $2 AND issue_id = ANY($3::bigint[])""",
        connection_id,
        side.value,
        [int(issue) for issue in issues],
    )


async def ambiguous(
    conn: Connection, connection_id: int, side: Side, *, limit: int = 1000
) -> list[IssueId]:
    """Issues whose claim conflicts with another claim, longest unseen first."""
    rows = await conn.fetch(
        """SELECT issue_id FROM twin_claims
           WHERE connection_id = $1 AND side = $2 AND status = 'ambiguous'
           ORDER BY seen_at, issue_id LIMIT $3""",
        connection_id,
        side.value,
        limit,
    )
    return [IssueId(str(row["issue_id"])) for row in rows]


async def waiting_for(
    conn: Connection, connection_id: int, side: Side, keys: Sequence[IssueKey]
) -> list[IssueId]:
    """Issues of *side* whose claim named one of *keys* before it could be seen or was in scope."""
    rows = await conn.fetch(
        """SELECT issue_id FROM twin_claims
           WHERE connection_id = $1 AND side = $2 AND claimed_key = ANY($3::text[])
             AND status IN ('unknown_issue', 'wrong_project')""",
        connection_id,
        side.value,
        list(keys),
    )
    return [IssueId(str(row["issue_id"])) for row in rows]


async def drop_side(conn: Connection, connection_id: int, side: Side) -> None:
    """Delete all claims of a side that no longer has a twin field."""
    await conn.execute(
        "DELETE FROM twin_claims WHERE connection_id = $1 AND side = $2", connection_id, side.value
    )


async def paired_in_project(
    conn: Connection,
    connection_id: int,
    side: Side,
    project: ProjectKey,
    *,
    without: Iterable[IssueId],
    limit: int,
) -> list[IssueId]:
    """Issues of one project that are paired by their field, the latest pairs first."""
    rows = await conn.fetch(
        f"""SELECT {side.value}_issue_id AS issue_id FROM twins
            WHERE connection_id = $1 AND source = 'field'
              AND starts_with({side.value}_key, $2)
              AND NOT {side.value}_issue_id = ANY($3::bigint[])
            ORDER BY id DESC LIMIT $4""",  # noqa: S608 - a word of ours
        connection_id,
        f"{project}-",
        [int(issue) for issue in without],
        limit,
    )
    return [IssueId(str(row["issue_id"])) for row in rows]


def _claim(row: Row) -> Claim:
    target = row["claimed_issue_id"]
    return Claim(
        issue=IssueRef(IssueId(str(row["issue_id"])), IssueKey(row["issue_key"])),
        key=row["claimed_key"],
        target=None if target is None else IssueId(str(target)),
        status=ClaimStatus(row["status"]),
    )
