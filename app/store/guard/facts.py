"""What the audit and the plans say about a tripped guard: counts, causes, what changed before."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.incidents import Change
from app.store.pool import Connection

WINDOW = timedelta(hours=24)
"""The guard's longest window: removals before it did not trip the guard."""
SHOWN = 1000


@dataclass(frozen=True, slots=True)
class Facts:
    """`removed` went through within the windows that the trip ended, `causes` counts them by
    kind. `changes` are candidates for what brought it about."""

    removed: int
    held: int
    first: datetime | None
    last: datetime | None
    causes: dict[str, int]
    engines: tuple[str, ...]
    revision: int
    revision_since: datetime
    changes: tuple[Change, ...]


async def of_connection(conn: Connection, connection_id: int, tripped_at: datetime) -> Facts:
    """What the guard saw in the day before *tripped_at*, or since its windows began."""
    head = await conn.fetchrow(
        """SELECT c.revision, c.guard_reset_at, v.created_at AS since FROM connections c
           JOIN revisions v ON v.connection_id = c.id AND v.revision = c.revision
           WHERE c.id = $1""",
        connection_id,
    )
    assert head is not None
    since = max(tripped_at - WINDOW, head["guard_reset_at"])
    rows = await conn.fetch(
        """SELECT cause_kind, count(*) AS n, min(created_at) AS first, max(created_at) AS last
           FROM intents WHERE connection_id = $1 AND operation = 'remove' AND guarded
             AND state <> 'failed' AND created_at > $2 GROUP BY cause_kind ORDER BY 2 DESC, 1""",
        connection_id,
        since,
    )
    first = min((row["first"] for row in rows), default=None)
    return Facts(
        removed=sum(row["n"] for row in rows),
        held=await _held(conn, connection_id),
        first=first,
        last=max((row["last"] for row in rows), default=None),
        causes={row["cause_kind"]: row["n"] for row in rows},
        engines=await _engines(conn, connection_id, since),
        revision=head["revision"],
        revision_since=head["since"],
        changes=(*await _revisions(conn, connection_id), *await _engine_changes(conn)),
    )


async def _held(conn: Connection, connection_id: int) -> int:
    total: int = await conn.fetchval(
        """SELECT count(*) FROM plan_changes x JOIN plans p ON p.id = x.plan_id
           WHERE p.connection_id = $1 AND p.kind = 'removals'
             AND p.status IN ('gathering', 'held', 'approved') AND x.result IS NULL""",
        connection_id,
    )
    return total


async def _engines(conn: Connection, connection_id: int, since: datetime) -> tuple[str, ...]:
    rows = await conn.fetch(
        """SELECT DISTINCT engine FROM audit WHERE at > $2 AND connection_id = $1
             AND operation = 'remove' AND status = 'intended' ORDER BY engine""",
        connection_id,
        since,
    )
    return tuple(row["engine"] for row in rows)


async def _revisions(conn: Connection, connection_id: int) -> list[Change]:
    """The newest revisions that were active, not only the active one: it may have changed. The
    first one took no other's place, so that it is no cause of what begins after it."""
    rows = await conn.fetch(
        """SELECT revision, created_at, lag(revision) OVER (ORDER BY revision) AS before
           FROM revisions WHERE connection_id = $1 AND rollout = 'full'
           ORDER BY revision DESC LIMIT 10""",
        connection_id,
    )
    return [
        Change(f"revision {it['revision']}", it["created_at"], it["before"])
        for it in rows
        if it["before"] is not None
    ]


async def _engine_changes(conn: Connection) -> tuple[Change, ...]:
    """The newest changes of the engine version; the first version is not a change."""
    rows = await conn.fetch(
        """SELECT engine, started_at FROM engine_starts
           WHERE id > (SELECT min(id) FROM engine_starts) ORDER BY id DESC LIMIT 10"""
    )
    return tuple(Change(f"engine {row['engine']}", row["started_at"]) for row in rows)


async def started(conn: Connection, engine: str, now: datetime) -> bool:
    """Record that version *engine* runs; False if it is the last one recorded."""
    done = await conn.fetchval(
        """INSERT INTO engine_starts (engine, started_at) SELECT $1, $2
           WHERE $1 IS DISTINCT FROM (
               SELECT engine FROM engine_starts ORDER BY id DESC LIMIT 1)
           RETURNING true""",
        engine,
        now,
    )
    return bool(done)


async def issues(conn: Connection, connection_id: int, since: datetime) -> list[str]:
    """Keys of issues whose links were or would be removed since then, up to a limit."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT key FROM (
            SELECT unnest(ARRAY[source_key, destination_key]) AS key FROM audit
            WHERE connection_id = $1 AND at > $2 AND operation = 'remove'
            UNION
            SELECT unnest(ARRAY[x.source_key, x.destination_key]) FROM plan_changes x
            JOIN plans p ON p.id = x.plan_id
            WHERE p.connection_id = $1 AND p.kind = 'removals' AND p.created_at > $2) touched
        ORDER BY key LIMIT $3
        """,
        connection_id,
        since,
        SHOWN,
    )
    return [row["key"] for row in rows]
