"""Links that are let go: how many within the guard's windows, and the plans that hold the others.

Take each in a statement after the connection's lock.
"""

from collections.abc import Sequence
from datetime import datetime

from app.core.guard import DAY, HOUR, Standing, WindowCount
from app.core.plan import PlanKind
from app.store.links.former_twins import LET_GO
from app.store.pool import Connection

_STANDS = "(state = 'managed' OR (state = 'orphaned' AND former = 'managed'))"
# Of the connection c since t.since. What a plan let go is a person's decision, and outside the
# windows.
_USED = f"""((SELECT count(*) FROM ledger l WHERE l.connection_id = c.id AND l.state = 'suspended'
        AND l.reason = '{LET_GO}' AND l.former = 'managed' AND l.changed_at > t.since)
    + (SELECT count(*) FROM audit a WHERE a.connection_id = c.id AND a.operation = 'release'
        AND a.at > t.since AND a.plan_id IS NULL AND a.actor <> 'twinlink'))"""  # noqa: S608
_WINDOWS = f"""
    SELECT c.id, w.scope, w.seconds, {_USED} AS used,
        coalesce((SELECT links FROM link_counts k
                  WHERE k.connection_id = c.id AND k.state = 'managed'), 0) AS managed
    FROM unnest($1::bigint[]) c (id)
    CROSS JOIN (VALUES ('hour', {HOUR}), ('day', {DAY})) w (scope, seconds)
    CROSS JOIN LATERAL (SELECT $2::timestamptz - make_interval(secs => w.seconds) AS since) t
    ORDER BY c.id, w.seconds
"""  # noqa: S608 - texts and numbers of ours


async def of_windows(
    conn: Connection, connections: Sequence[int], now: datetime
) -> dict[int, list[WindowCount]]:
    """Of each connection: what the service let go, as long as it has not come back, and what
    persons released."""
    found: dict[int, list[WindowCount]] = {it: [] for it in connections}
    for row in await conn.fetch(_WINDOWS, list(connections), now):
        used = row["used"]
        found[row["id"]].append(
            WindowCount(row["scope"], row["seconds"], used, row["managed"], created=0, removed=used)
        )
    return found


async def standing(conn: Connection, connection_id: int, asked: int, now: datetime) -> Standing:
    """The links of the connection while *asked* of the managed ones are to be let go."""
    stands: int = await conn.fetchval(
        f"SELECT count(*) FROM ledger WHERE connection_id = $1 AND {_STANDS}",  # noqa: S608
        connection_id,
    )
    _, day = (await of_windows(conn, [connection_id], now))[connection_id]
    return Standing(max(0, stands - asked), asked, day.used)


_OF_PAIR = "$2 IN (source_twin_id, destination_twin_id)"
_OF_NO_OTHER = """NOT EXISTS (SELECT 1 FROM twins t WHERE t.unpair_plan = $1 AND t.id <> $2
    AND t.id IN (source_twin_id, destination_twin_id))"""


async def drop_pair(conn: Connection, plan_id: int, twin_id: int) -> None:
    """Take the changes of a pair that goes on out of the plan; from a sealed one, with that
    result. What waits there for another pair as well stays."""
    await conn.execute(
        f"""DELETE FROM plan_changes WHERE plan_id = $1 AND {_OF_PAIR} AND {_OF_NO_OTHER}
            AND EXISTS (SELECT 1 FROM plans WHERE id = $1 AND status = 'gathering')""",  # noqa: S608
        plan_id,
        twin_id,
    )
    await conn.execute(
        f"""UPDATE plan_changes SET result = 'skipped:paired_again'
            WHERE plan_id = $1 AND result IS NULL AND {_OF_PAIR} AND {_OF_NO_OTHER}""",  # noqa: S608
        plan_id,
        twin_id,
    )


async def note_released(conn: Connection, plan_id: int, twin_id: int) -> None:
    """Close the changes of a pair that was let go."""
    await conn.execute(
        f"""UPDATE plan_changes SET result = 'applied'
            WHERE plan_id = $1 AND result IS NULL AND {_OF_PAIR}""",  # noqa: S608
        plan_id,
        twin_id,
    )


async def skip_lost(conn: Connection, plan_id: int) -> None:
    """Changes of pairs that were unpaired while the plan waited."""
    await conn.execute(
        """UPDATE plan_changes SET result = 'skipped:unpaired'
           WHERE plan_id = $1 AND result IS NULL AND NOT EXISTS (
               SELECT 1 FROM twins t WHERE t.unpair_plan = $1
                 AND t.id IN (source_twin_id, destination_twin_id))""",
        plan_id,
    )


async def is_over(conn: Connection, plan_id: int) -> bool:
    """Whether a sealed plan has nothing left to decide about."""
    found: bool = await conn.fetchval(
        """SELECT EXISTS (SELECT 1 FROM plans WHERE id = $1 AND status IN ('held', 'approved'))
             AND NOT EXISTS (SELECT 1 FROM plan_changes WHERE plan_id = $1 AND result IS NULL)
             AND NOT EXISTS (SELECT 1 FROM twins WHERE unpair_plan = $1)""",
        plan_id,
    )
    return found


async def approved(conn: Connection, limit: int) -> list[tuple[int, int, int]]:
    """(connection, plan, twin) of pairs that approved plans let go."""
    rows = await conn.fetch(
        """SELECT t.connection_id, p.id AS plan_id, t.id FROM plans p
           JOIN twins t ON t.unpair_plan = p.id
           WHERE p.status = 'applying' AND p.kind = $1 ORDER BY p.id, t.id LIMIT $2""",
        PlanKind.UNPAIRINGS,
        limit,
    )
    return [(row["connection_id"], row["plan_id"], row["id"]) for row in rows]


async def figures(conn: Connection, connection_id: int) -> dict[str, int]:
    """What waits for a person: pairs, their links, and the newest plan."""
    row = await conn.fetchrow(
        """SELECT (SELECT count(*) FROM twins WHERE connection_id = $1
                    AND unpair_plan IS NOT NULL) AS pairs,
               count(x.plan_id) AS links, max(p.id) AS plan
           FROM plans p LEFT JOIN plan_changes x ON x.plan_id = p.id AND x.result IS NULL
           WHERE p.connection_id = $1 AND p.kind = $2
             AND p.status IN ('gathering', 'held', 'approved')""",
        connection_id,
        PlanKind.UNPAIRINGS,
    )
    assert row is not None
    return {"pairs": row["pairs"], "links": row["links"], "plan": row["plan"] or 0}
