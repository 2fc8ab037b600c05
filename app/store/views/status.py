"""The load of a connection, from one query, so that all numbers are of one moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.store.columns import from_row
from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Load:
    """Counts of pairs, but for these: `resyncs` are queued or running, `held` are changes that
    wait for a person's decision, `unconfirmed` are writes with an unknown outcome.

    `backlog` is due, `delayed` is due later, `in_flight` is with a worker. The last look at
    `waiting` pairs ended without knowing enough; of these, a site did not show enough of `unknown`
    ones. `unpairing` ones are suspended until a person decides, `let_go` ones may come back.
    `oldest_seconds` is the age of the oldest work, None without any.

    Nothing is done about the others: pairs that are suspended, and links by their state.
    """

    backlog: int
    in_flight: int
    delayed: int
    resyncs: int
    waiting: int
    unknown: int
    held: int
    unpairing: int
    let_go: int
    failed: int
    dismissed: int
    unconfirmed: int
    oldest_seconds: float | None
    pairs_suspended: int
    suspended: int
    orphaned: int
    detached: int
    released: int


# Each part by its own index, so that pairs of which nothing is to say are not read.
_PAIRS = """
    SELECT due_at, dirty_since, waiting, failed_at, false AS dismissed, true AS dirty,
           coalesce(lease_until > $2, false) AS leased
    FROM work WHERE connection_id = c.id AND bulk AND generation > done AND failed_at IS NULL
    UNION ALL
    SELECT due_at, dirty_since, waiting, failed_at, false, true,
           coalesce(lease_until > $2, false)
    FROM work WHERE connection_id = c.id AND NOT bulk AND generation > done AND failed_at IS NULL
    UNION ALL
    SELECT due_at, dirty_since, waiting, failed_at,
           coalesce(dismissed_failure = failure, false), false, false
    FROM work WHERE connection_id = c.id AND failed_at IS NOT NULL
    UNION ALL
    SELECT due_at, dirty_since, waiting, failed_at, false, false, false
    FROM work WHERE connection_id = c.id AND waiting IS NOT NULL AND failed_at IS NULL
      AND generation = done
"""
_STATUS = f"""
    SELECT
        c.id, w.backlog, w.in_flight, w.delayed, w.waiting, w.unknown, w.failed, w.dismissed,
        w.oldest_seconds,
        (SELECT count(*) FROM resyncs r
          WHERE r.connection_id = c.id AND r.status IN ('queued', 'running')) AS resyncs,
        (SELECT count(*) FROM plan_changes pc JOIN plans p ON p.id = pc.plan_id
          WHERE p.connection_id = c.id AND p.kind IN ('removals', 'unpairings')
            AND p.status IN ('gathering', 'held', 'approved')
            AND pc.result IS NULL) AS held,
        (SELECT count(*) FROM twins t
          WHERE t.connection_id = c.id AND t.unpair_plan > 0) AS unpairing,
        (SELECT count(*) FROM former_twins f WHERE f.connection_id = c.id) AS let_go,
        (SELECT count(*) FROM intents i
          WHERE i.connection_id = c.id AND i.state = 'open'
            AND i.unconfirmed_since IS NOT NULL) AS unconfirmed,
        -- As a range, so that its index is taken also before statistics know of it.
        (SELECT count(*) FROM twins t
          WHERE t.connection_id = c.id AND t.suspended > '') AS pairs_suspended,
        l.suspended, l.orphaned, l.detached, l.released
    FROM unnest($1::bigint[]) c (id)
    CROSS JOIN LATERAL (
        SELECT
            count(*) FILTER (WHERE dirty AND NOT leased AND due_at <= $2) AS backlog,
            count(*) FILTER (WHERE leased) AS in_flight,
            count(*) FILTER (WHERE dirty AND NOT leased AND due_at > $2) AS delayed,
            count(*) FILTER (WHERE waiting IS NOT NULL) AS waiting,
            count(*) FILTER (WHERE waiting LIKE 'unknown:%') AS unknown,
            count(*) FILTER (WHERE failed_at IS NOT NULL AND NOT dismissed) AS failed,
            count(*) FILTER (WHERE failed_at IS NOT NULL AND dismissed) AS dismissed,
            extract(epoch FROM $2 - min(dirty_since) FILTER (WHERE dirty))::float8
                AS oldest_seconds
        FROM ({_PAIRS}) AS pairs
    ) AS w
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(links) FILTER (WHERE state = 'suspended'), 0)::int AS suspended,
               coalesce(sum(links) FILTER (WHERE state = 'orphaned'), 0)::int AS orphaned,
               coalesce(sum(links) FILTER (WHERE state = 'detached'), 0)::int AS detached,
               coalesce(sum(links) FILTER (WHERE state = 'released'), 0)::int AS released
        FROM link_counts WHERE connection_id = c.id
    ) AS l
"""  # noqa: S608 - texts of ours


async def of_connections(
    conn: Connection, connection_ids: Sequence[int], now: datetime
) -> dict[int, Load]:
    """The load of each of these connections, in one statement."""
    rows = await conn.fetch(_STATUS, connection_ids, now)
    return {row["id"]: from_row(Load, row) for row in rows}


async def of_connection(conn: Connection, connection_id: int, now: datetime) -> Load:
    return (await of_connections(conn, [connection_id], now))[connection_id]


async def unconfirmed(conn: Connection) -> int:
    """The number of open intents whose requests may have acted."""
    found: int = await conn.fetchval(
        "SELECT count(*) FROM intents WHERE state = 'open' AND unconfirmed_since IS NOT NULL"
    )
    return found
