"""What the guard counts. Take each in a statement after the connection's lock, and a site's after
the site's: one statement's snapshot is older than the lock it waits for.

A slot is taken by the attempt. Only removals reserved since the last reset count, without those
that certainly did not act: their tries must not use up the window. A mirror that vanished by
someone else's hand has a slot as well, see `store.vanished`.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from app.core.guard import DAY, HOUR, Standing, WindowCount
from app.store.config.active_connection import Running
from app.store.pool import Connection

_SLOT = """i.operation = 'remove' AND i.guarded
    AND (i.state <> 'failed' OR i.outcome LIKE 'confirmed%')"""
# An orphan's mirror may be removed like any managed one.
_STANDS = "(l.state = 'managed' OR (l.state = 'orphaned' AND l.former = 'managed'))"
_SAME_LINK = """l.mirror_site_id = i.site_id AND l.mirror_type_id = i.type_id
    AND l.mirror_source_id = i.key_source_id AND l.mirror_destination_id = i.key_destination_id"""
# With OFFSET 0 it is asked of one link after another: of all at once, it reads every link there is.
_LEAVING = f"""EXISTS (SELECT 1 FROM intents i WHERE i.state = 'open' AND i.operation = 'remove'
    AND {_SAME_LINK} OFFSET 0)"""  # noqa: S608 - texts of ours
# Removed within the window by $1 since $2, and not made again since: each link once.
_GONE = f"""i.connection_id = $1 AND i.created_at > $2 AND {_SLOT}
    AND (i.state = 'open' OR NOT EXISTS (
        SELECT 1 FROM ledger l WHERE l.connection_id = $1 AND {_SAME_LINK} AND {_STANDS}))"""  # noqa: S608
_LINK = "(i.site_id, i.type_id, i.key_source_id, i.key_destination_id)"
_VANISHED = f"""v.connection_id = $1 AND v.counted_at > $2 AND NOT EXISTS (
    SELECT 1 FROM ledger l WHERE l.connection_id = $1 AND l.left_type_id = v.left_type_id
        AND l.source_twin_id = v.source_twin_id
        AND l.destination_twin_id = v.destination_twin_id AND {_STANDS})"""  # noqa: S608


# `$1` connections, `$2` since when their windows count, `$3` now. What acted within a window comes
# from the buckets of whole minutes, and from the intents of the minute in which the window begins.
_WINDOWS = f"""
    SELECT c.id, w.scope, w.seconds,
        (SELECT count(*) FROM intents i WHERE i.connection_id = c.id AND {_SLOT}
           AND i.created_at > greatest(t.since, c.reset_at))
        + (SELECT count(*) FROM vanished_mirrors v WHERE v.connection_id = c.id
             AND v.counted_at > greatest(t.since, c.reset_at)) AS used,
        coalesce((SELECT links FROM link_counts k
                  WHERE k.connection_id = c.id AND k.state = 'managed'), 0) AS managed,
        part.created + whole.created AS created,
        part.removed + whole.removed
        + (SELECT count(*) FROM vanished_mirrors v
           WHERE v.connection_id = c.id AND v.counted_at > t.since) AS removed
    FROM unnest($1::bigint[], $2::timestamptz[]) c (id, reset_at)
    CROSS JOIN (VALUES ('hour', {HOUR}), ('day', {DAY})) w (scope, seconds)
    CROSS JOIN LATERAL (SELECT $3::timestamptz - make_interval(secs => w.seconds) AS since) t
    CROSS JOIN LATERAL (
        SELECT date_trunc('minute', t.since, 'UTC') + interval '1 minute' AS first_whole) m
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE i.operation = 'create') AS created,
            count(*) FILTER (WHERE i.operation = 'remove') AS removed
        FROM intents i WHERE i.connection_id = c.id AND i.state = 'applied'
          AND i.created_at > t.since AND i.created_at < m.first_whole) part
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(b.created), 0) AS created, coalesce(sum(b.removed), 0) AS removed
        FROM write_minutes b WHERE b.connection_id = c.id AND b.minute >= m.first_whole) whole
    ORDER BY c.id, w.seconds
"""  # noqa: S608 - texts and numbers of ours


class Guarded(Protocol):
    """A connection, and when its guard was reset last."""

    @property
    def id(self) -> int: ...
    @property
    def guard_reset_at(self) -> datetime: ...


async def of_windows(
    conn: Connection, guarded: Sequence[Guarded], now: datetime
) -> dict[int, list[WindowCount]]:
    """The windows of each of these connections, in one statement."""
    rows = await conn.fetch(
        _WINDOWS, [it.id for it in guarded], [it.guard_reset_at for it in guarded], now
    )
    found: dict[int, list[WindowCount]] = {it.id: [] for it in guarded}
    for row in rows:
        found[row["id"]].append(
            WindowCount(
                row["scope"],
                row["seconds"],
                row["used"],
                row["managed"],
                int(row["created"]),
                int(row["removed"]),
            )
        )
    return found


async def of_sites(conn: Connection, sites: Collection[int], now: datetime) -> dict[int, int]:
    """Slots used on each of these sites within the last hour, by all connections together."""
    rows = await conn.fetch(
        f"""SELECT s.id, (SELECT count(*) FROM intents i
                    WHERE i.site_id = s.id AND {_SLOT} AND i.created_at > $2)
                 + (SELECT count(*) FROM vanished_mirrors v
                    WHERE v.site_id = s.id AND v.counted_at > $2) AS used
            FROM unnest($1::bigint[]) s (id)""",  # noqa: S608
        list(sites),
        now - timedelta(seconds=HOUR),
    )
    return {row["id"]: row["used"] for row in rows}


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
