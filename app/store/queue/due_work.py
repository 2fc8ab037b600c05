"""Which pairs are due, and the statement that claims them. Its cost depends on the pairs that it
takes, not on those that wait.

The first dirty pair of each connection, found with one probe of `work_ready`, says which
connections have work that is due. A connection that is paused is left out there, so that none of
its pairs is read, however many wait.
"""

from datetime import datetime

from app.store.migrations.head import latest
from app.store.pool import Connection

_DIRTY = "generation > done AND failed_at IS NULL"


def _heads(name: str, lane: str) -> str:
    """A common table expression of `WITH RECURSIVE`: each connection that has dirty pairs in this
    lane, with the time from which the first of them is due."""
    first = f"SELECT connection_id, due_at FROM work WHERE {_DIRTY} AND {lane}"  # noqa: S608
    order = "ORDER BY connection_id, due_at LIMIT 1"
    return f"""{name} (connection_id, due_at) AS (
        ({first} {order})
        UNION ALL
        SELECT following.* FROM {name} h CROSS JOIN LATERAL (
            {first} AND connection_id > h.connection_id {order}) following)"""  # noqa: S608


def _ready(name: str, of: str) -> str:
    """The connections among *of* that are not paused and have a pair that is due. A database with
    another version of the schema has none, because `migrate` may run meanwhile."""
    return f"""{name} AS MATERIALIZED (
        SELECT h.connection_id, h.due_at FROM {of} h
        JOIN connections c ON c.id = h.connection_id
        WHERE h.due_at <= $1 AND c.paused_at IS NULL AND c.deleted_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM installation WHERE paused_at IS NOT NULL)
          AND EXISTS (SELECT 1 FROM alembic_version WHERE version_num = '{latest()}'))"""  # noqa: S608


def _pairs(ready: str, lane: str, limit: str, *, also: str = "", lock: str = "") -> str:
    """Pairs that are due and that no worker has, those of the connection that waits longest first.
    The outer limit ends the loop, so that only rows that are taken get locked. `lost` counts the
    lost claims of a pair, the one whose lease ran out just now included."""
    return f"""
        SELECT w.* FROM (SELECT connection_id FROM {ready} ORDER BY due_at, connection_id) r
        CROSS JOIN LATERAL (
            SELECT connection_id, twin_id, look, causes, lease_until, due_at,
                   lost + (lease_until IS NOT NULL)::int AS lost FROM work w
            WHERE {_DIRTY} AND {lane} AND connection_id = r.connection_id AND due_at <= $1
              AND (lease_until IS NULL OR (lease_until < $1 AND $6)) AND (lost = 0 OR $6) {also}
            ORDER BY due_at LIMIT $2 {lock}) w
        LIMIT {limit}"""  # noqa: S608


_LOCK = "FOR UPDATE SKIP LOCKED"

# One statement, so that a wake-up that finds nothing costs one round trip. One worker at a time
# claims bulk: several at once would each skip the rows that another locks, and split a resync's
# pages of a hundred into parts that Jira is asked for one by one. A worker that waits at this gate
# holds no lock, and one past it locks rows without waiting (SKIP LOCKED), so they cannot deadlock.
CLAIM = f"""
    WITH RECURSIVE {_heads("bulk_heads", "bulk")},
    {_heads("live_heads", "NOT bulk")},
    {_ready("bulk_ready", "bulk_heads")},
    {_ready("live_ready", "live_heads")},
    gate AS MATERIALIZED (
        SELECT pg_advisory_xact_lock($5) FROM ({_pairs("bulk_ready", "bulk", "1")}) waiting),
    behind_gate AS MATERIALIZED (
        SELECT * FROM bulk_ready WHERE EXISTS (SELECT 1 FROM gate)),
    share AS MATERIALIZED ({_pairs("behind_gate", "bulk", "$3", lock=_LOCK)}),
    live AS MATERIALIZED ({
    _pairs("live_ready", "NOT bulk", "$2 - (SELECT count(*) FROM share)", lock=_LOCK)
}),
    rest AS MATERIALIZED ({
    _pairs(
        "behind_gate",
        "bulk",
        "$2 - (SELECT count(*) FROM share) - (SELECT count(*) FROM live)",
        also='''AND NOT EXISTS (SELECT 1 FROM share s WHERE s.connection_id = w.connection_id
                                AND s.twin_id = w.twin_id)''',
        lock=_LOCK,
    )
}),
    found AS (
        SELECT * FROM share UNION ALL SELECT * FROM live UNION ALL SELECT * FROM rest),
    most AS MATERIALIZED (SELECT max(lost) AS lost FROM found),
    due AS (
        -- Those that were lost most often, without any other: the company of a pair that ends
        -- processes grows smaller, until it is alone. Parked ones are not looked at: all of them.
        SELECT * FROM found WHERE lost = (SELECT lost FROM most) ORDER BY due_at
        LIMIT (SELECT CASE lost WHEN 1 THEN $7 WHEN 2 THEN 1 ELSE $2 END FROM most)),
    fence AS MATERIALIZED (SELECT nextval('fences') AS number WHERE EXISTS (SELECT 1 FROM due))
    UPDATE work w SET fence = fence.number, lease_until = $4, look = false, causes = '{{}}',
        lost = due.lost
    FROM due, fence
    WHERE w.connection_id = due.connection_id AND w.twin_id = due.twin_id
    RETURNING w.*, due.look OR due.lease_until IS NOT NULL AS whole, due.causes AS taken
"""  # noqa: S608 - no values


async def oldest(conn: Connection) -> datetime | None:
    """Since when the oldest pair or resync is due, in paused connections too; None without any."""
    found: datetime | None = await conn.fetchval(
        f"""WITH RECURSIVE {_heads("bulk_heads", "bulk")}, {_heads("live_heads", "NOT bulk")}
            SELECT least(
                (SELECT min(due_at) FROM bulk_heads), (SELECT min(due_at) FROM live_heads),
                (SELECT min(created_at) FROM resyncs WHERE status IN ('queued', 'running')))"""  # noqa: S608
    )
    return found
