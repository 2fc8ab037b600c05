"""Decisions with what they were made from, thirty days long, within a bound for each day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.ledger import LinkKey
from app.core.links import TypeId
from app.core.recorded.evaluation import Recorded
from app.store.pool import Connection, Row

KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision as it is stored."""

    key: LinkKey
    outcome: str
    row: int
    decision: str
    version: int
    inputs: str


_ADD = """
    WITH u AS MATERIALIZED (
        SELECT *, row_number() OVER (PARTITION BY outcome ORDER BY place) AS rank
        FROM unnest($6::text[], $7::bigint[], $8::bigint[], $9::text[], $10::int[],
                    $11::text[], $12::int[], $13::text[]) WITH ORDINALITY
            AS u (left_type, source_twin, destination_twin, outcome, row, decision, version,
                  inputs, place)),
    offered AS (SELECT outcome, count(*) AS many FROM u GROUP BY outcome),
    counted AS (
        -- In one order everywhere: workers of one connection meet here.
        INSERT INTO recorded_decision_days AS d
            (connection_id, day, outcome, seen, dropped)
        SELECT $1, ($4::timestamptz AT TIME ZONE 'UTC')::date, outcome, many,
               greatest(0, many - $5::bigint)
        FROM offered ORDER BY outcome
        ON CONFLICT (connection_id, day, outcome) DO UPDATE SET
            seen = d.seen + excluded.seen,
            dropped = d.dropped
                + least(excluded.seen, greatest(0, d.seen + excluded.seen - $5::bigint))
        RETURNING outcome, seen)
    INSERT INTO recorded_decisions (decided_at, connection_id, revision, engine, left_type,
        source_twin, destination_twin, outcome, row, decision, version, inputs)
    SELECT $4, $1, $2, $3, u.left_type, u.source_twin, u.destination_twin, u.outcome, u.row,
           u.decision, u.version, u.inputs
    FROM u JOIN offered USING (outcome) JOIN counted USING (outcome)
    WHERE counted.seen - offered.many + u.rank <= $5::bigint
    ORDER BY u.place
"""


async def add(
    conn: Connection,
    connection_id: int,
    revision: int,
    decided: Sequence[Decided],
    *,
    engine: str,
    bound: int,
    now: datetime,
) -> int:
    """Store these, of each outcome at most *bound* a day and connection; the others are counted.
    Answers how many were stored. One statement, whatever their number."""
    status = await conn.execute(
        _ADD,
        connection_id,
        revision,
        engine,
        now,
        bound,
        [it.key.left_type for it in decided],
        [it.key.source_twin for it in decided],
        [it.key.destination_twin for it in decided],
        [it.outcome for it in decided],
        [it.row for it in decided],
        [it.decision for it in decided],
        [it.version for it in decided],
        [it.inputs for it in decided],
    )
    return int(status.rpartition(" ")[2])


async def page(
    conn: Connection, *, since: datetime, engine: str | None, after: int, size: int
) -> list[Recorded]:
    """The next *size* of those made since then, by their id; of one *engine* if that is given."""
    rows = await conn.fetch(
        """SELECT id, connection_id, revision, left_type, source_twin, destination_twin, engine,
                  outcome, row, decision, version, inputs
           FROM recorded_decisions
           WHERE id > $1 AND decided_at >= $2 AND ($3::text IS NULL OR engine = $3)
           ORDER BY id LIMIT $4""",
        after,
        since,
        engine,
        size,
    )
    return [_recorded(row) for row in rows]


async def before_last(conn: Connection, count: int) -> int:
    """The id after which about *count* follow."""
    after: int = await conn.fetchval(
        "SELECT greatest(0, coalesce(max(id), 0) - $1) FROM recorded_decisions", count
    )
    return after


async def names(conn: Connection, connection_ids: Sequence[int]) -> dict[int, str]:
    """What these connections are called; one that was deleted keeps its name."""
    rows = await conn.fetch(
        "SELECT id, name FROM connections WHERE id = ANY($1::bigint[])", list(connection_ids)
    )
    return {row["id"]: row["name"] for row in rows}


async def dropped(conn: Connection, since: datetime) -> int:
    """How many were above their day's bound since then."""
    count: int = await conn.fetchval(
        "SELECT coalesce(sum(dropped), 0)::bigint FROM recorded_decision_days WHERE day >= $1",
        since.date(),
    )
    return count


async def purge(conn: Connection, now: datetime, limit: int) -> int:
    """Forget up to *limit* that are old enough, and the counts of those days."""
    await conn.execute("DELETE FROM recorded_decision_days WHERE day < $1", (now - KEPT).date())
    status = await conn.execute(
        """DELETE FROM recorded_decisions WHERE id IN (
               SELECT id FROM recorded_decisions WHERE decided_at < $1
               ORDER BY decided_at LIMIT $2)""",
        now - KEPT,
        limit,
    )
    return int(status.rpartition(" ")[2])


def _recorded(row: Row) -> Recorded:
    return Recorded(
        id=row["id"],
        connection_id=row["connection_id"],
        revision=row["revision"],
        key=LinkKey(TypeId(row["left_type"]), row["source_twin"], row["destination_twin"]),
        engine=row["engine"],
        outcome=row["outcome"],
        row=row["row"],
        decision=row["decision"],
        version=row["version"],
        inputs=row["inputs"],
    )
