"""The outbox of notifications: one an hour per key, sent to each target separately."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.store.pool import Connection

HOUR = timedelta(hours=1)
EXPIRES = timedelta(hours=24)
"""Older messages are not sent."""
KEPT = timedelta(days=14)
TRIES = 8
FIRST_RETRY, LAST_RETRY = 15.0, 1800.0
"""Seconds; each retry waits twice as long as the one before."""
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed message for one target. `suppressed` counts unsent messages of its key."""

    id: int
    target: str
    title: str
    body: str
    suppressed: int
    tries: int


async def put(
    conn: Connection,
    key: str,
    *,
    title: str,
    body: str,
    paging: bool,
    now: datetime,
    every: timedelta = HOUR,
) -> bool:
    """Queue a message, in the transaction of its subject. False if this key had a message less than
    *every* ago: then it is only counted."""
    row = await conn.fetchrow(
        """
        INSERT INTO notification_keys AS k (key, told_at) VALUES ($1, $2)
        ON CONFLICT (key) DO UPDATE SET
            told_at = CASE WHEN k.told_at <= $3 THEN $2 ELSE k.told_at END,
            carried = CASE WHEN k.told_at <= $3 THEN k.suppressed ELSE k.carried END,
            suppressed = CASE WHEN k.told_at <= $3 THEN 0 ELSE k.suppressed + 1 END
        RETURNING told_at = $2 AND suppressed = 0 AS goes, carried
        """,
        key,
        now,
        now - every,
    )
    assert row is not None
    if row["goes"]:
        await conn.execute(
            """INSERT INTO notifications (key, paging, title, body, suppressed, created_at)
               VALUES ($1, $2, $3, $4, $5, $6)""",
            key,
            paging,
            title,
            body,
            row["carried"],
            now,
        )
    return bool(row["goes"])


async def address(
    conn: Connection, targets: Sequence[str], pagers: Sequence[str], now: datetime, *, only: str
) -> int:
    """Hand new messages to the targets that there are: paging ones to all, the others to
    *targets*. *only*: those whose key begins so. Answers how many messages."""
    done: int = await conn.fetchval(
        """
        WITH fresh AS (
            SELECT id, paging FROM notifications
            WHERE addressed_at IS NULL AND starts_with(key, $4)
            ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED),
        sends AS (
            INSERT INTO notification_sends (notification_id, target, due_at)
            SELECT f.id, t.target, $3 FROM fresh f, (
                SELECT target, false AS pager FROM unnest($1::text[]) AS a (target)
                UNION ALL SELECT target, true FROM unnest($2::text[]) AS b (target)) t
            WHERE f.paging OR NOT t.pager),
        marked AS (
            UPDATE notifications n SET addressed_at = $3 FROM fresh f WHERE n.id = f.id
            RETURNING 1)
        SELECT count(*) FROM marked
        """,
        list(targets),
        list(pagers),
        now,
        only,
    )
    return done


_CLAIM = """
    UPDATE notification_sends s SET tries = s.tries + 1, due_at = $3
    FROM notifications n
    WHERE n.id = s.notification_id AND s.target = $1 AND s.notification_id = (
        SELECT w.notification_id FROM notification_sends w
        JOIN notifications m ON m.id = w.notification_id
        WHERE w.target = $1 AND w.status = 'waiting' AND w.due_at <= $2
          AND starts_with(m.key, $4)
        ORDER BY m.paging DESC, m.id LIMIT 1 FOR UPDATE OF w SKIP LOCKED)
    RETURNING n.id, n.title, n.body, n.suppressed, s.tries
"""


async def claim(
    conn: Connection,
    target: str,
    now: datetime,
    *,
    per_minute: int,
    lease: timedelta,
    only: str = "",
) -> Due | None:
    """The most urgent message that is due for *target*, within its limit a minute. Locks the row of
    the target, so that all workers share the limit; None if another worker holds the lock."""
    await conn.execute(
        "INSERT INTO notification_targets (target, minute) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        target,
        now,
    )
    mine = await conn.fetchrow(
        "SELECT minute, used FROM notification_targets WHERE target = $1 FOR UPDATE SKIP LOCKED",
        target,
    )
    if mine is None:
        return None
    fresh = mine["minute"] <= now - MINUTE
    used = 0 if fresh else mine["used"]
    if used >= per_minute:
        return None
    row = await conn.fetchrow(
        _CLAIM,
        target,
        now,
        now + lease,
        only,
    )
    if row is None:
        return None
    await conn.execute(
        "UPDATE notification_targets SET minute = $2, used = $3 WHERE target = $1",
        target,
        now if fresh else mine["minute"],
        used + 1,
    )
    return Due(row["id"], target, row["title"], row["body"], row["suppressed"], row["tries"])


async def sent(conn: Connection, due: Due, now: datetime) -> None:
    """Record that the target has the message."""
    await _end(conn, due, "sent", now)


async def failed(conn: Connection, due: Due, now: datetime) -> bool:
    """Schedule another try; True if this was the last one."""
    if due.tries >= TRIES:
        await _end(conn, due, "failed", now)
        return True
    await conn.execute(
        """UPDATE notification_sends SET due_at = $3
           WHERE notification_id = $1 AND target = $2 AND status = 'waiting'""",
        due.id,
        due.target,
        now + timedelta(seconds=min(LAST_RETRY, FIRST_RETRY * 2 ** (due.tries - 1))),
    )
    return False


async def expire(conn: Connection, now: datetime) -> int:
    """Give up messages that are too old, and delete those sent long ago."""
    gone: int = await conn.fetchval(
        """WITH late AS (
               UPDATE notification_sends s SET status = 'expired', ended_at = $1
               FROM notifications n WHERE n.id = s.notification_id AND s.status = 'waiting'
                 AND n.created_at <= $2 RETURNING 1)
           SELECT count(*) FROM late""",
        now,
        now - EXPIRES,
    )
    await conn.execute("DELETE FROM notifications WHERE created_at <= $1", now - KEPT)
    await conn.execute("DELETE FROM notification_keys WHERE told_at <= $1", now - KEPT)
    return gone


async def _end(conn: Connection, due: Due, status: str, now: datetime) -> None:
    await conn.execute(
        """UPDATE notification_sends SET status = $3, ended_at = $4
           WHERE notification_id = $1 AND target = $2 AND status = 'waiting'""",
        due.id,
        due.target,
        status,
        now,
    )
