"""Pairs that were let go: their links are suspended under the pair's id, so that the same pair
coming back finds them as they were. Of a pair that a person has ended, these are only the links
whose mirror another account removed. And pairs whose letting go waits in a plan: they keep both
issues, and their links are suspended as well.

Take the connection's lock first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.ledger import Row, State
from app.core.links import IssueId, IssueKey, IssueRef
from app.core.twin_claims import LETTING_GO
from app.store.links import ledger
from app.store.links.ledger import Place
from app.store.links.twins import Twin
from app.store.pool import Connection

KEPT = timedelta(days=30)
"""So long the same pair coming back resumes its links; then they are released."""

LET_GO, GAVE_WAY, HELD = LETTING_GO, "gave_way", "unpairing_held"
"""Why such a row is suspended: its pair was let go, and counts in the windows; it gave way to a
pair that came back; or it waits in a plan."""
_REASONS = [LET_GO, GAVE_WAY, HELD]


@dataclass(frozen=True, slots=True)
class Asked:
    """A ledger row at pairs that are to be let go. `managed`: it manages a link, or did before
    it was suspended or orphaned. `gone`: it is let go for another such pair already; `held`: it
    waits for one."""

    row: Row
    place: Place
    managed: bool
    gone: bool
    held: bool


async def asked(conn: Connection, connection_id: int, twins: Sequence[int]) -> list[Asked]:
    """The rows with an end at one of these twins, oldest first."""
    rows = await conn.fetch(
        """SELECT * FROM ledger WHERE connection_id = $1 AND state <> 'released'
           AND (source_twin_id = ANY($2::bigint[]) OR destination_twin_id = ANY($2::bigint[]))
           ORDER BY id""",
        connection_id,
        list(twins),
    )
    return [
        Asked(
            ledger.row_value(row),
            ledger.place_of(row),
            State.MANAGED in (row["state"], row["former"]),
            row["state"] == State.SUSPENDED and row["reason"] in (LET_GO, GAVE_WAY),
            row["state"] == State.SUSPENDED and row["reason"] == HELD,
        )
        for row in rows
    ]


async def suspend(
    conn: Connection, connection_id: int, twins: Sequence[int], reason: str, now: datetime
) -> None:
    """Suspend the rows at these twins. Those that are suspended for another such pair already
    keep their reason."""
    await conn.execute(
        """UPDATE ledger SET state = 'suspended', version = version + 1, changed_at = $4,
               former = CASE WHEN state IN ('suspended', 'orphaned') THEN former ELSE state END,
               reason = $3
           WHERE connection_id = $1 AND state <> 'released'
             AND (source_twin_id = ANY($2::bigint[]) OR destination_twin_id = ANY($2::bigint[]))
             AND NOT (state = 'suspended' AND reason = ANY($5::text[]))""",
        connection_id,
        list(twins),
        reason,
        now,
        _REASONS,
    )


async def keep_detached(conn: Connection, connection_id: int, twin_id: int, now: datetime) -> None:
    """Suspend the links of a pair that ends whose mirror another account removed, so that the same
    pair does not make them again. One that waits for its other pair as well goes on waiting."""
    await conn.execute(
        f"""UPDATE ledger l SET state = 'suspended', former = 'detached', reason = $4,
               version = version + 1, changed_at = $3
           WHERE connection_id = $1 AND $2 IN (source_twin_id, destination_twin_id)
             AND {_LOST} AND NOT (state = 'suspended' AND reason IN ('{LET_GO}', '{GAVE_WAY}'))
             AND NOT (state = 'suspended' AND reason = '{HELD}' AND EXISTS (
                 SELECT 1 FROM twins t WHERE t.unpair_plan IS NOT NULL AND t.id <> $2
                   AND t.id IN (l.source_twin_id, l.destination_twin_id)))""",  # noqa: S608
        connection_id,
        twin_id,
        now,
        LET_GO,
    )


_LOST = """(state = 'detached' OR (state IN ('suspended', 'orphaned') AND former = 'detached'))
    AND CASE origin WHEN 'left' THEN right_link_id ELSE left_link_id END IS NULL"""


async def has_rows(conn: Connection, connection_id: int, twin_id: int) -> bool:
    """Whether a link is kept for this pair."""
    found: bool = await conn.fetchval(
        """SELECT EXISTS (SELECT 1 FROM ledger WHERE connection_id = $1 AND state <> 'released'
           AND $2 IN (source_twin_id, destination_twin_id))""",
        connection_id,
        twin_id,
    )
    return found


async def put(conn: Connection, connection_id: int, twins: Sequence[int], now: datetime) -> None:
    """End these pairs for now: their issues are free, their work goes with them."""
    await conn.execute(
        """WITH gone AS (
               DELETE FROM twins WHERE connection_id = $1 AND id = ANY($2::bigint[]) RETURNING *)
           INSERT INTO former_twins (twin_id, connection_id, left_issue_id, left_key,
               right_issue_id, right_key, source, version, let_go_at, until)
           SELECT id, connection_id, left_issue_id, left_key, right_issue_id, right_key, source,
               version, $3, $4 FROM gone""",
        connection_id,
        list(twins),
        now,
        now + KEPT,
    )


async def hold(conn: Connection, connection_id: int, twin_id: int, plan_id: int) -> None:
    """Suspend a pair until the plan is decided."""
    await conn.execute(
        """UPDATE twins SET suspended = $4, unpair_plan = $3, version = version + 1
           WHERE connection_id = $1 AND id = $2""",
        connection_id,
        twin_id,
        plan_id,
        LETTING_GO,
    )


async def held_by(conn: Connection, plan_id: int) -> list[int]:
    """The pairs that a plan decides about."""
    rows = await conn.fetch("SELECT id FROM twins WHERE unpair_plan = $1 ORDER BY id", plan_id)
    return [row["id"] for row in rows]


async def plan_of(conn: Connection, twin_id: int) -> int | None:
    """The plan that decides about a pair."""
    found: int | None = await conn.fetchval("SELECT unpair_plan FROM twins WHERE id = $1", twin_id)
    return found


async def plan_at(conn: Connection, connection_id: int, twin_id: int) -> int | None:
    """The plan that decides about another pair which one of this pair's held links has."""
    found: int | None = await conn.fetchval(
        """SELECT min(t.unpair_plan) FROM ledger l
           JOIN twins t ON t.id IN (l.source_twin_id, l.destination_twin_id) AND t.id <> $2
           WHERE l.connection_id = $1 AND $2 IN (l.source_twin_id, l.destination_twin_id)
             AND l.state = 'suspended' AND l.reason = $3""",
        connection_id,
        twin_id,
        HELD,
    )
    return found


async def go_on(
    conn: Connection, connection_id: int, twins: Sequence[int], now: datetime, *, source: str | None
) -> None:
    """Let held pairs go on; *source* is theirs from now on, where it changes. Their rows resume
    with the next look; one whose other pair was let go counts as let go, and one whose other pair
    is held stays so."""
    await conn.execute(
        """UPDATE twins SET suspended = NULL, unpair_plan = NULL, version = version + 1,
               source = coalesce($3, source)
           WHERE connection_id = $1 AND id = ANY($2::bigint[])""",
        connection_id,
        list(twins),
        source,
    )
    await conn.execute(
        """UPDATE ledger l SET version = version + 1, changed_at = $4,
               reason = CASE WHEN EXISTS (SELECT 1 FROM former_twins f
                   WHERE f.twin_id IN (l.source_twin_id, l.destination_twin_id))
                   THEN $3 ELSE 'paired_again' END
           WHERE l.connection_id = $1 AND l.state = 'suspended' AND l.reason = $5
             AND (l.source_twin_id = ANY($2::bigint[]) OR l.destination_twin_id = ANY($2::bigint[]))
             AND NOT EXISTS (SELECT 1 FROM twins t WHERE t.unpair_plan IS NOT NULL
                             AND t.id IN (l.source_twin_id, l.destination_twin_id))""",
        connection_id,
        list(twins),
        LET_GO,
        now,
        HELD,
    )


async def move(conn: Connection, plan_id: int, to: int) -> None:
    """Let another plan decide about the pairs of this one."""
    await conn.execute("UPDATE twins SET unpair_plan = $2 WHERE unpair_plan = $1", plan_id, to)


async def among(
    conn: Connection, connection_id: int, pairs: Sequence[tuple[IssueId, IssueId]]
) -> set[tuple[IssueId, IssueId]]:
    """Those of *pairs*, each a left and a right issue, that were let go and may come back."""
    rows = await conn.fetch(
        """SELECT f.left_issue_id, f.right_issue_id FROM former_twins f
           JOIN unnest($2::bigint[], $3::bigint[]) u (l, r)
             ON u.l = f.left_issue_id AND u.r = f.right_issue_id
           WHERE f.connection_id = $1""",
        connection_id,
        [int(left) for left, _ in pairs],
        [int(right) for _, right in pairs],
    )
    return {
        (IssueId(str(row["left_issue_id"])), IssueId(str(row["right_issue_id"]))) for row in rows
    }


async def overdue(conn: Connection, now: datetime, limit: int) -> list[tuple[int, int]]:
    """(connection, twin) of pairs whose time is over. Not while a link of theirs waits in a plan
    for their other pair."""
    rows = await conn.fetch(
        """SELECT f.connection_id, f.twin_id FROM former_twins f
           WHERE f.until <= $1 AND NOT EXISTS (
               SELECT 1 FROM ledger l WHERE l.connection_id = f.connection_id
                 AND f.twin_id IN (l.source_twin_id, l.destination_twin_id)
                 AND l.state = 'suspended' AND l.reason = $3)
           ORDER BY f.until LIMIT $2""",
        now,
        limit,
        HELD,
    )
    return [(row["connection_id"], row["twin_id"]) for row in rows]


async def forget(conn: Connection, twin_id: int, now: datetime) -> bool:
    """Delete a pair whose time is over. False if it came back."""
    done = await conn.fetchval(
        "DELETE FROM former_twins WHERE twin_id = $1 AND until <= $2 RETURNING true", twin_id, now
    )
    return bool(done)


async def by_ids(conn: Connection, connection_id: int, ids: Iterable[int]) -> list[Twin]:
    """Those of these pairs that were let go, as suspended ones."""
    rows = await conn.fetch(
        """SELECT * FROM former_twins
           WHERE connection_id = $1 AND twin_id = ANY($2::bigint[])""",
        connection_id,
        list(ids),
    )
    return [
        Twin(
            id=row["twin_id"],
            connection_id=connection_id,
            left=IssueRef(IssueId(str(row["left_issue_id"])), IssueKey(row["left_key"])),
            right=IssueRef(IssueId(str(row["right_issue_id"])), IssueKey(row["right_key"])),
            source=row["source"],
            suspended=LETTING_GO,
            version=row["version"],
        )
        for row in rows
    ]
