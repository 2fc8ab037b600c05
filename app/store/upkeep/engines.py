"""Versions of the service that began to work here, and how each was judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.recorded.engine import Count, Judged, Verdict
from app.core.recorded.evaluation import Rule
from app.store.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class Engine:
    id: int
    engine: str
    seen_at: datetime
    judged: Judged
    digest: str
    accepted_at: datetime | None
    accepted_by: str | None


async def of(conn: Connection, engine: str) -> Engine | None:
    """None: it has not begun to work here."""
    row = await conn.fetchrow("SELECT * FROM engines WHERE engine = $1", engine)
    return None if row is None else _engine(row)


async def page(conn: Connection, *, after: int, limit: int) -> Sequence[Engine]:
    """In the order in which they came."""
    rows = await conn.fetch(
        "SELECT * FROM engines WHERE id > $1 ORDER BY id LIMIT $2", after, limit
    )
    return [_engine(it) for it in rows]


async def enter(conn: Connection, engine: str, it: Judged, now: datetime) -> bool:
    """Its first judgement counts: False where another worker of the version has entered one."""
    done = await conn.fetchval(
        """INSERT INTO engines (engine, seen_at, verdict, compared, unreadable, digest, differences)
           VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING true""",
        engine,
        now,
        it.verdict.value,
        it.compared,
        it.unreadable,
        it.digest,
        [_out(one) for one in it.differences],
    )
    return bool(done)


async def accept(conn: Connection, engine: str, digest: str, by: str, now: datetime) -> bool:
    """False where nothing of this digest waits for it."""
    done = await conn.fetchval(
        """UPDATE engines SET verdict = 'accepted', accepted_at = $3, accepted_by = $4
           WHERE engine = $1 AND digest = $2 AND verdict = 'differs' RETURNING true""",
        engine,
        digest,
        now,
        by,
    )
    return bool(done)


def _out(it: Count) -> dict[str, str | int]:
    rule = it.rule
    return {
        "row": rule.row,
        "outcome": rule.outcome,
        "row_now": rule.row_now,
        "outcome_now": rule.outcome_now,
        "count": it.count,
    }


def _engine(row: Row) -> Engine:
    counts = tuple(
        Count(Rule(it["row"], it["outcome"], it["row_now"], it["outcome_now"]), it["count"])
        for it in row["differences"]
    )
    judged = Judged(Verdict(row["verdict"]), row["compared"], row["unreadable"], counts)
    return Engine(
        row["id"],
        row["engine"],
        row["seen_at"],
        judged,
        row["digest"],
        row["accepted_at"],
        row["accepted_by"],
    )
