"""Twins: a left and a right issue that are the same work in one connection."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.links import IssueId, IssueKey, IssueRef, Side
from app.store.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class Twin:
    """`suspended` says why nothing is planned for the pair; None means it is in scope. `left_born`
    and `right_born` are when the issues were made, None as long as no look has seen that. An issue
    that moved out of scope is `known` to people by its last key in scope: the one that it has now
    may be another tenant's."""

    id: int
    connection_id: int
    left: IssueRef
    right: IssueRef
    source: str
    suspended: str | None
    version: int
    left_born: datetime | None = None
    right_born: datetime | None = None
    known: tuple[IssueKey, IssueKey] | None = None

    def name(self, side: Side) -> IssueKey:
        """The key to say to people."""
        return self.on(side).key if self.known is None else side.pick(*self.known)

    def born(self, side: Side) -> datetime | None:
        return side.pick(self.left_born, self.right_born)

    def on(self, side: Side) -> IssueRef:
        return side.pick(self.left, self.right)


async def by_ids(conn: Connection, connection_id: int, ids: Iterable[int]) -> dict[int, Twin]:
    """Those of *ids* that are twins of this connection, by id."""
    rows = await conn.fetch(
        "SELECT * FROM twins WHERE connection_id = $1 AND id = ANY($2::bigint[])",
        connection_id,
        list(ids),
    )
    return {row["id"]: _twin(row) for row in rows}


async def neighbour(conn: Connection, connection_id: int, twin_id: int) -> Twin | None:
    """Another twin of this connection: the next one, or the first. None where it is the only."""
    row = await conn.fetchrow(
        """SELECT * FROM twins WHERE connection_id = $1 AND id <> $2 AND suspended IS NULL
           ORDER BY id < $2, id LIMIT 1""",
        connection_id,
        twin_id,
    )
    return _twin(row) if row is not None else None


async def by_issues(
    conn: Connection, connection_id: int, side: Side, issues: Iterable[IssueId]
) -> dict[IssueId, Twin]:
    """The twins of these issues of one side, by issue id."""
    rows = await conn.fetch(
        f"""SELECT * FROM twins
            WHERE connection_id = $1 AND {side.value}_issue_id = ANY($2::bigint[])""",  # noqa: S608
        connection_id,
        [int(issue) for issue in issues],
    )
    return {twin.on(side).id: twin for twin in map(_twin, rows)}


async def page(conn: Connection, connection_id: int, *, after: int, limit: int) -> list[int]:
    """Ids of the connection's twins in order, for flat-memory walks."""
    rows = await conn.fetch(
        "SELECT id FROM twins WHERE connection_id = $1 AND id > $2 ORDER BY id LIMIT $3",
        connection_id,
        after,
        limit,
    )
    return [row["id"] for row in rows]


async def count(conn: Connection, connection_id: int) -> int:
    """How many twins the connection has, including suspended ones."""
    total: int = await conn.fetchval(
        "SELECT count(*) FROM twins WHERE connection_id = $1", connection_id
    )
    return total


async def insert(
    conn: Connection,
    connection_id: int,
    sites: tuple[int, int],
    left: IssueRef,
    right: IssueRef,
    *,
    source: str,
    now: datetime,
) -> int | None:
    """Pair two issues; None if either is paired in this connection already. A pair that was let go
    comes back under its id, and the next look resumes its links. The caller holds the
    connection's lock."""
    former = await conn.fetchrow(
        """SELECT twin_id, version FROM former_twins
           WHERE connection_id = $1 AND left_issue_id = $2 AND right_issue_id = $3""",
        connection_id,
        int(left.id),
        int(right.id),
    )
    twin_id: int | None = await conn.fetchval(
        f"""INSERT INTO twins (connection_id, left_site_id, left_issue_id, left_key,
               right_site_id, right_issue_id, right_key, source, created_at
               {_SAME_ID[former is None]} ON CONFLICT DO NOTHING RETURNING id""",
        connection_id,
        sites[0],
        int(left.id),
        left.key,
        sites[1],
        int(right.id),
        right.key,
        source,
        now,
        *(() if former is None else (former["twin_id"], former["version"] + 1)),
    )
    if former is not None and twin_id is not None:
        await conn.execute("DELETE FROM former_twins WHERE twin_id = $1", twin_id)
    return twin_id


_SAME_ID = {
    True: ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    False: """, id, version) OVERRIDING SYSTEM VALUE
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)""",
}


async def rekey(
    conn: Connection, twin: Twin, side: Side, key: IssueKey, *, in_scope: bool = True
) -> bool:
    """Store the new key of an issue with a proven id. False if the twin's version has changed."""
    column = side.value
    kept = (
        f"{column}_key = $3, {column}_moved_key = NULL" if in_scope else f"{column}_moved_key = $3"
    )
    done = await conn.fetchval(
        f"""UPDATE twins SET {kept}, version = version + 1
            WHERE id = $1 AND version = $2 RETURNING true""",  # noqa: S608
        twin.id,
        twin.version,
        key,
    )
    return bool(done)


async def note_born(conn: Connection, side: Side, born: Mapping[int, datetime]) -> None:
    """Store when the issues of these twins were made, where that is not known yet. It is no change
    of the pair: what was decided about it holds."""
    await conn.execute(
        f"""UPDATE twins t SET {side.value}_born = u.born
            FROM unnest($1::bigint[], $2::timestamptz[]) u (id, born)
            JOIN (SELECT id FROM twins WHERE id = ANY($1) AND {side.value}_born IS NULL
                  -- One that another look writes is left to that look.
                  ORDER BY id FOR NO KEY UPDATE SKIP LOCKED) free USING (id)
            WHERE t.id = u.id""",  # noqa: S608
        list(born),
        list(born.values()),
    )


async def births(
    conn: Connection, site_id: int, issues: Iterable[IssueId]
) -> dict[IssueId, set[datetime]]:
    """When these issues of a site were made, as the pairs of any connection know."""
    rows = await conn.fetch(
        """SELECT left_issue_id AS issue, left_born AS born FROM twins
           WHERE left_site_id = $1 AND left_issue_id = ANY($2::bigint[]) AND left_born IS NOT NULL
           UNION SELECT right_issue_id, right_born FROM twins
           WHERE right_site_id = $1 AND right_issue_id = ANY($2::bigint[])
             AND right_born IS NOT NULL""",
        site_id,
        [int(issue) for issue in issues],
    )
    found: dict[IssueId, set[datetime]] = {}
    for row in rows:
        found.setdefault(IssueId(str(row["issue"])), set()).add(row["born"])
    return found


async def suspend(conn: Connection, twin: Twin, reason: str | None) -> bool:
    """Set why nothing is planned for the pair, or None to have it back in scope, where each issue
    is known by the key that it has."""
    done = await conn.fetchval(
        """UPDATE twins SET suspended = $3, version = version + 1,
               left_key = CASE WHEN $3::text IS NULL THEN coalesce(left_moved_key, left_key)
                          ELSE left_key END,
               right_key = CASE WHEN $3::text IS NULL THEN coalesce(right_moved_key, right_key)
                           ELSE right_key END,
               left_moved_key = CASE WHEN $3::text IS NOT NULL THEN left_moved_key END,
               right_moved_key = CASE WHEN $3::text IS NOT NULL THEN right_moved_key END
           WHERE id = $1 AND version = $2 RETURNING true""",
        twin.id,
        twin.version,
        reason,
    )
    return bool(done)


async def delete(conn: Connection, connection_id: int, twin_id: int) -> bool:
    """Unpair. Its work goes with it; its ledger rows must be released in this transaction."""
    done = await conn.fetchval(
        "DELETE FROM twins WHERE connection_id = $1 AND id = $2 RETURNING true",
        connection_id,
        twin_id,
    )
    return bool(done)


async def standing(conn: Connection, twins: Sequence[Twin]) -> set[int]:
    """The ids among *twins* that are there in the same version: same issues, keys and scope."""
    rows = await conn.fetch(
        """SELECT t.id FROM unnest($1::bigint[], $2::int[]) u (id, version)
           JOIN twins t ON t.id = u.id AND t.version = u.version""",
        [twin.id for twin in twins],
        [twin.version for twin in twins],
    )
    return {row["id"] for row in rows}


def _twin(row: Row) -> Twin:
    return Twin(
        id=row["id"],
        connection_id=row["connection_id"],
        left=_ref(row, "left"),
        right=_ref(row, "right"),
        source=row["source"],
        suspended=row["suspended"],
        version=row["version"],
        left_born=row["left_born"],
        right_born=row["right_born"],
        known=(IssueKey(row["left_key"]), IssueKey(row["right_key"])),
    )


def _ref(row: Row, side: str) -> IssueRef:
    key = row[f"{side}_moved_key"] or row[f"{side}_key"]
    return IssueRef(IssueId(str(row[f"{side}_issue_id"])), IssueKey(key))
