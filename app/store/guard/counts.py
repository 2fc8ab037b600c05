"""What the guard counts. Take each in a statement after the connection's lock, and a site's after
the site's: one statement's snapshot is older than the lock it waits for.

A slot is taken by the attempt. Only removals reserved since the last reset count, without those
that certainly did not act: their tries must not use up the window. A mirror that vanished by
someone else's hand has a slot as well, see `store.vanished`.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from app.core.guard import DAY, HOUR, Standing, WindowCount
from app.store.config.active_connection import Running
from app.store.pool import Connection

_SLOT = """i.operation = 'remove' AND i.guarded
    AND (i.state <> 'failed' OR i.outcome LIKE 'confirmed%')"""
# An orphan's mirror may be removed like any managed one.
_STANDS = "(l.state = 'managed' OR (l.state = 'orphaned' AND l.former = 'managed'))"
_SAME_LINK = """l.mirror_site_id = i.site_id AND l.mirror_type_id = i.type_id
    AND l.mirror_source_id = i.key_source_id AND l.mirror_destination_id = i.key_destination_id"""
_LEAVING = f"""EXISTS (SELECT 1 FROM intents i WHERE i.state = 'open' AND i.operation = 'remove'
    AND {_SAME_LINK})"""  # noqa: S608 - texts of ours
# Removed within the window by $1 since $2, and not made again since: each link once.
_GONE = f"""i.connection_id = $1 AND i.created_at > $2 AND {_SLOT}
    AND (i.state = 'open' OR NOT EXISTS (
        SELECT 1 FROM ledger l WHERE l.connection_id = $1 AND {_SAME_LINK} AND {_STANDS}))"""  # noqa: S608
_LINK = "(i.site_id, i.type_id, i.key_source_id, i.key_destination_id)"
_VANISHED = f"""v.connection_id = $1 AND v.counted_at > $2 AND NOT EXISTS (
    SELECT 1 FROM ledger l WHERE l.connection_id = $1 AND l.left_type_id = v.left_type_id
        AND l.source_twin_id = v.source_twin_id
        AND l.destination_twin_id = v.destination_twin_id AND {_STANDS})"""  # noqa: S608


async def of_windows(conn: Connection, running: Running, now: datetime) -> list[WindowCount]:
    """The windows of the connection itself."""
    managed: int = await conn.fetchval(
        "SELECT count(*) FROM ledger WHERE connection_id = $1 AND state = 'managed'", running.id
    )
    counts = []
    for scope, seconds in (("hour", HOUR), ("day", DAY)):
        row = await conn.fetchrow(
            f"""
            SELECT count(*) FILTER (WHERE {_SLOT} AND i.created_at > $2) AS used,
                count(*) FILTER (WHERE i.operation = 'create' AND i.state = 'applied') AS created,
                count(*) FILTER (WHERE i.operation = 'remove' AND i.state = 'applied') AS removed,
                (SELECT count(*) FROM vanished_mirrors v
                 WHERE v.connection_id = $1 AND v.counted_at > $2) AS vanished,
                (SELECT count(*) FROM vanished_mirrors v
                 WHERE v.connection_id = $1 AND v.counted_at > $3) AS lost
            FROM intents i WHERE i.connection_id = $1 AND i.created_at > $3
            """,  # noqa: S608
            running.id,
            _since(running, now, seconds),
            now - timedelta(seconds=seconds),
        )
        assert row is not None
        used, removed = row["used"] + row["vanished"], row["removed"] + row["lost"]
        counts.append(WindowCount(scope, seconds, used, managed, row["created"], removed))
    return counts


async def of_site(conn: Connection, site: int, now: datetime) -> int:
    """Slots used on a site within the last hour, by all connections together."""
    used: int = await conn.fetchval(
        f"""SELECT (SELECT count(*) FROM intents i
                    WHERE i.site_id = $1 AND {_SLOT} AND i.created_at > $2)
                 + (SELECT count(*) FROM vanished_mirrors v
                    WHERE v.site_id = $1 AND v.counted_at > $2)""",  # noqa: S608
        site,
        now - timedelta(seconds=HOUR),
    )
    return used


async def of_connection(
    conn: Connection, running: Running, asked: Collection[int], now: datetime
) -> Standing:
    """The links of the connection while those of the *asked* ledger rows are to go. `left` is
    1 for any number: whether there is one is all that matters."""
    left = await conn.fetchval(
        f"""SELECT EXISTS (SELECT 1 FROM ledger l WHERE l.connection_id = $1 AND {_STANDS}
            AND l.id <> ALL($2::bigint[]) AND NOT {_LEAVING})""",  # noqa: S608
        running.id,
        list(asked),
    )
    if left:
        return Standing(1, len(asked), 0)
    gone = await conn.fetchval(
        f"""SELECT (SELECT count(DISTINCT {_LINK}) FROM intents i WHERE {_GONE})
                 + (SELECT count(*) FROM vanished_mirrors v WHERE {_VANISHED})""",  # noqa: S608
        running.id,
        _since(running, now, DAY),
    )
    return Standing(0, len(asked), gone)


_OF_TWINS = f"""
    WITH at AS (SELECT unnest($3::bigint[]) AS twin),
    -- Two ways in, so that each is an index scan; no link has one twin at both ends.
    here AS (
        SELECT at.twin, l.* FROM at JOIN ledger l
            ON l.connection_id = $1 AND l.source_twin_id = at.twin AND {_STANDS}
        UNION ALL
        SELECT at.twin, l.* FROM at JOIN ledger l
            ON l.connection_id = $1 AND l.destination_twin_id = at.twin AND {_STANDS}),
    standing AS (
        SELECT l.twin, (
            SELECT bool_or(p.status <> 'applying') FROM plan_changes c
            JOIN plans p ON p.id = c.plan_id
            WHERE c.left_type_id = l.left_type_id AND c.source_twin_id = l.source_twin_id
              AND c.destination_twin_id = l.destination_twin_id AND c.result IS NULL
              AND p.connection_id = $1 AND p.kind = 'removals'
              AND p.status IN ('gathering', 'held', 'approved', 'applying')) AS waits
        FROM here l WHERE l.id <> ALL($4::bigint[]) AND NOT {_LEAVING}),
    removed AS (
        SELECT at.twin, count(DISTINCT {_LINK}) AS n FROM at JOIN intents i
            ON {_GONE} AND at.twin IN (i.source_twin_id, i.destination_twin_id)
        GROUP BY at.twin),
    vanished AS (
        SELECT at.twin, count(*) AS n FROM at JOIN vanished_mirrors v
            ON {_VANISHED} AND at.twin IN (v.source_twin_id, v.destination_twin_id)
        GROUP BY at.twin)
    SELECT at.twin, count(s.twin) FILTER (WHERE s.waits IS NULL) AS left,
           count(s.twin) FILTER (WHERE s.waits)
               + coalesce(max(r.n), 0) + coalesce(max(v.n), 0) AS gone
    FROM at LEFT JOIN standing s ON s.twin = at.twin
    LEFT JOIN removed r ON r.twin = at.twin LEFT JOIN vanished v ON v.twin = at.twin
    GROUP BY at.twin
"""  # noqa: S608


async def of_twins(
    conn: Connection,
    running: Running,
    twins: Iterable[int],
    asked: Collection[int],
    now: datetime,
) -> dict[int, tuple[int, int]]:
    """By twin: how many of its links would be left, and how many are gone. A link that waits in a
    plan counts as gone: otherwise links that are held together could be removed one by one."""
    rows = await conn.fetch(
        _OF_TWINS,
        running.id,
        _since(running, now, DAY),
        list(twins),
        list(asked),
    )
    return {row["twin"]: (row["left"], row["gone"]) for row in rows}


def _since(running: Running, now: datetime, seconds: int) -> datetime:
    return max(now - timedelta(seconds=seconds), running.guard_reset_at)
