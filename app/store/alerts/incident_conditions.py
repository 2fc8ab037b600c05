"""Conditions in the database that are incidents while they last: one query for each kind."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.incidents import Detail, Impact, IncidentKind
from app.store.alerts import pair_conditions
from app.store.alerts.condition import Condition
from app.store.alerts.incidents import Place
from app.store.guard import unpairings
from app.store.pool import Connection
from app.store.queue import stray_deliveries
from app.store.queue.webhook_sources import REJECTIONS

UNCONFIRMED = timedelta(minutes=15)
REJECTED = timedelta(minutes=10)
"""After this long of refused deliveries and no valid one, events are being lost."""
SILENT = timedelta(minutes=30)
STOPPED = timedelta(minutes=15)
NEAR = timedelta(seconds=30)
REPLACED = timedelta(days=1)
EXPIRES = timedelta(days=7)
"""Ahead of a token's end, so that a person has time to make another one."""
SAID: Mapping[str, timedelta] = {
    IncidentKind.INSTALLATION_MISMATCH: timedelta(minutes=5),
    IncidentKind.SCHEMA_MISMATCH: timedelta(minutes=5),
    IncidentKind.ENGINE_DIFFERS: timedelta(minutes=5),
    IncidentKind.SECRET_MISPLACED: timedelta(minutes=5),
}
"""A condition that is only reported, not stored, lasts this long after its last report."""

LOCKED = "site:captcha_required"
"""An incident of the site itself."""
IDENTITY = ("site:identity_changed", "site:account_changed")


async def tripped(conn: Connection, _: datetime) -> list[Condition]:
    """Connections whose guard is tripped, with the window that tripped it."""
    rows = await conn.fetch(
        """SELECT id, guard_tripped_at, guard_trip_reason FROM connections
           WHERE guard_tripped_at IS NOT NULL AND deleted_at IS NULL ORDER BY id"""
    )
    return [
        Condition(
            IncidentKind.GUARD_TRIPPED,
            Place(connection_id=row["id"]),
            row["guard_tripped_at"],
            Impact.MINOR,
            {"window": row["guard_trip_reason"] or "unknown"},
        )
        for row in rows
    ]


async def unpairing(conn: Connection, _: datetime) -> list[Condition]:
    """Connections with pairs whose letting go waits for a person."""
    rows = await conn.fetch(
        """SELECT connection_id, min(created_at) AS since FROM plans
           WHERE kind = 'unpairings' AND status IN ('gathering', 'held', 'approved')
           GROUP BY connection_id ORDER BY connection_id"""
    )
    return [
        Condition(
            IncidentKind.UNPAIRINGS_HELD,
            Place(connection_id=row["connection_id"]),
            row["since"],
            Impact.MINOR,
            await unpairings.figures(conn, row["connection_id"]),
        )
        for row in rows
    ]


async def unconfirmed(conn: Connection, now: datetime) -> list[Condition]:
    """Per connection, deleted ones too: their writes are still open."""
    rows = await conn.fetch(
        """SELECT connection_id, count(*) AS n, min(created_at) AS since FROM intents
           WHERE state = 'open' AND created_at <= $1
           GROUP BY connection_id ORDER BY connection_id""",
        now - UNCONFIRMED,
    )
    return [
        Condition(
            IncidentKind.WRITE_UNCONFIRMED,
            Place(connection_id=row["connection_id"]),
            row["since"],
            Impact.MAJOR,
            {"writes": row["n"], "since": row["since"].isoformat(timespec="seconds")},
        )
        for row in rows
    ]


async def rejected(conn: Connection, now: datetime) -> list[Condition]:
    """The flag stays until a valid delivery. Unsigned requests alone open no incident."""
    rows = await conn.fetch(
        """SELECT s.id, s.rejected_recent, s.rejected_since, u.total AS unsigned FROM sites s
           LEFT JOIN stray_deliveries u ON u.site = s.name AND u.fault = 'unsigned'
               AND u.last_at >= s.rejected_since
           WHERE rejected_recent >= $1 AND rejected_since IS NOT NULL ORDER BY id""",
        REJECTIONS,
    )
    return [
        Condition(
            IncidentKind.DELIVERIES_REJECTED,
            Place(site_id=row["id"]),
            row["rejected_since"],
            Impact.MAJOR if row["rejected_since"] <= now - REJECTED else Impact.MINOR,
            {
                "rejected": row["rejected_recent"],
                "since": row["rejected_since"].isoformat(timespec="seconds"),
                **({} if row["unsigned"] is None else {"unsigned": row["unsigned"]}),
            },
        )
        for row in rows
    ]


async def astray(conn: Connection, now: datetime) -> list[Condition]:
    """A stranger's guesses open none: he would have to say that he is Jira, and know a name."""
    many = [it for it in await stray_deliveries.fresh(conn, now=now) if it.total >= REJECTIONS]
    found = [
        Condition(
            IncidentKind.DELIVERIES_ASTRAY,
            Place(site_id=await conn.fetchval("SELECT id FROM sites WHERE name = $1", it.site)),
            it.last_at,
            Impact.MINOR,
            {"deliveries": it.total, "name": it.site},
        )
        for it in many
        if it.fault == "path"
    ]
    gone = [it for it in many if it.fault == "deleted"]
    if gone:
        detail: Detail = {
            "deliveries": sum(it.total for it in gone),
            "deleted": ", ".join(it.site for it in gone),
        }
        last = max(it.last_at for it in gone)
        found.append(Condition(IncidentKind.DELIVERIES_ASTRAY, Place(), last, Impact.MINOR, detail))
    return found


async def refused(conn: Connection, _: datetime) -> list[Condition]:
    """Looks that a site refuses: another Jira or account behind it, or credentials that ended."""
    rows = await conn.fetch(
        """SELECT connection_id, waiting = ANY($1::text[]) AS other, min(waiting) AS waiting,
                  count(*) AS pairs, min(dirty_since) AS since
           FROM work WHERE waiting LIKE 'site:%' AND waiting <> $2 AND generation > done
           GROUP BY 1, 2 ORDER BY 2, 1""",
        list(IDENTITY),
        LOCKED,
    )
    return [
        Condition(
            IncidentKind.SITE_IDENTITY_CHANGED if row["other"] else IncidentKind.SITE_REFUSED,
            Place(connection_id=row["connection_id"]),
            row["since"],
            Impact.MAJOR,
            {"code": row["waiting"].removeprefix("site:"), "pairs": row["pairs"]},
        )
        for row in rows
    ]


async def locked(conn: Connection, _: datetime) -> list[Condition]:
    """Sites that want a person to solve a CAPTCHA."""
    rows = await conn.fetch(
        "SELECT id, locked_since FROM sites WHERE locked_since IS NOT NULL ORDER BY id"
    )
    return [
        Condition(
            IncidentKind.SITE_LOCKED,
            Place(site_id=row["id"]),
            row["locked_since"],
            Impact.MAJOR,
            {"since": row["locked_since"].isoformat(timespec="seconds")},
        )
        for row in rows
    ]


async def expiring(conn: Connection, now: datetime) -> list[Condition]:
    """Sites of live connections whose token ends within days, as their administrator said."""
    rows = await conn.fetch(
        """SELECT s.id, s.token_expires_at FROM sites s
           WHERE s.token_expires_at <= $1
             AND EXISTS (SELECT FROM connections c WHERE s.id IN (c.left_site_id, c.right_site_id)
                 AND c.deleted_at IS NULL)
           ORDER BY s.id""",
        now + EXPIRES,
    )
    return [
        Condition(
            IncidentKind.TOKEN_EXPIRES,
            Place(site_id=row["id"]),
            row["token_expires_at"] - EXPIRES,
            Impact.MINOR,
            {"at": row["token_expires_at"].isoformat(timespec="minutes")},
        )
        for row in rows
    ]


async def replaced(conn: Connection, now: datetime) -> list[Condition]:
    """Sites whose second token took over, for a day: the incident keeps that it did."""
    rows = await conn.fetch(
        "SELECT id, token_replaced_at FROM sites WHERE token_replaced_at > $1 ORDER BY id",
        now - REPLACED,
    )
    return [
        Condition(
            IncidentKind.TOKEN_REPLACED,
            Place(site_id=row["id"]),
            row["token_replaced_at"],
            Impact.MINOR,
            {"at": row["token_replaced_at"].isoformat(timespec="seconds")},
        )
        for row in rows
    ]


async def unseen(conn: Connection, _: datetime) -> list[Condition]:
    """Projects of live connections that Jira refuses to search."""
    rows = await conn.fetch(
        """SELECT u.site_id, min(u.since) AS since, count(*) AS n,
                  (array_agg(u.project ORDER BY u.project))[:10] AS projects
           FROM unseen_projects u
           WHERE EXISTS (SELECT FROM connections c
                 WHERE u.site_id IN (c.left_site_id, c.right_site_id) AND c.deleted_at IS NULL)
           GROUP BY u.site_id ORDER BY u.site_id"""
    )
    return [
        Condition(
            IncidentKind.PROJECT_UNSEEN,
            Place(site_id=row["site_id"]),
            row["since"],
            Impact.MAJOR,
            {"count": row["n"], "projects": ", ".join(row["projects"])},
        )
        for row in rows
    ]


async def stopped(conn: Connection, now: datetime) -> list[Condition]:
    """Sites of connections whose circuit has been open for long."""
    rows = await conn.fetch(
        """SELECT s.id, s.circuit_open_since FROM sites s
           WHERE s.circuit_open_since <= $1
             AND EXISTS (SELECT FROM connections c WHERE s.id IN (c.left_site_id, c.right_site_id)
                 AND c.deleted_at IS NULL)
           ORDER BY s.id""",
        now - STOPPED,
    )
    return [
        Condition(
            IncidentKind.CIRCUIT_OPEN,
            Place(site_id=row["id"]),
            row["circuit_open_since"],
            Impact.MAJOR,
            {"stopped_since": row["circuit_open_since"].isoformat(timespec="seconds")},
        )
        for row in rows
    ]


async def silent(conn: Connection, now: datetime) -> list[Condition]:
    """Sites of live, unpaused connections that no poll has reached for long, or ever, though no
    circuit says why. After a long pause the first poll may be under way: certain only when the
    next try is near."""
    rows = await conn.fetch(
        """SELECT s.id, s.since AS polled_until, s.poll_due_at FROM (
               SELECT x.*, coalesce(x.polled_until, (
                   SELECT min(c.created_at) FROM connections c
                   WHERE x.id IN (c.left_site_id, c.right_site_id)
                     AND c.deleted_at IS NULL AND c.paused_at IS NULL)) AS since
               FROM sites x) s
           WHERE s.locked_since IS NULL AND s.since <= $1 AND s.poll_due_at > s.since
             AND coalesce(s.circuit_open_since > $2, true)
             AND NOT EXISTS (SELECT FROM installation WHERE paused_at IS NOT NULL)
             AND EXISTS (SELECT FROM connections c WHERE s.id IN (c.left_site_id, c.right_site_id)
                 AND c.deleted_at IS NULL AND c.paused_at IS NULL)
           ORDER BY s.id""",
        now - SILENT,
        now - STOPPED,
    )
    return [
        Condition(
            IncidentKind.CIRCUIT_OPEN,
            Place(site_id=row["id"]),
            row["polled_until"],
            Impact.MAJOR,
            {"since": row["polled_until"].isoformat(timespec="seconds")},
            certain=now - SILENT < row["poll_due_at"] <= now + NEAR,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class HeldPlan:
    """`second`: one of two owners has approved it."""

    id: int
    connection: str
    changes: int
    expires_at: str
    second: bool


async def untold_plans(conn: Connection) -> list[HeldPlan]:
    """Plans that wait for a first or second decision of which no notification was sent."""
    rows = await conn.fetch(
        """SELECT p.id, c.name, p.expires_at, p.status = 'approved' AS second,
               (SELECT count(*) FROM plan_changes x WHERE x.plan_id = p.id) AS changes
           FROM plans p JOIN connections c ON c.id = p.connection_id
           WHERE p.status IN ('held', 'approved') AND NOT EXISTS (
               SELECT FROM notification_keys k WHERE k.key = CASE p.status
                   WHEN 'held' THEN 'plan_held:' ELSE 'plan_second:' END || p.id)
           ORDER BY p.id LIMIT 100"""
    )
    return [
        HeldPlan(row["id"], row["name"], row["changes"], _when(row["expires_at"]), row["second"])
        for row in rows
    ]


def _when(at: datetime | None) -> str:
    return "a person decides" if at is None else at.isoformat(timespec="minutes")


ALL: tuple[Callable[[Connection, datetime], Awaitable[list[Condition]]], ...] = (
    tripped,
    unpairing,
    unconfirmed,
    rejected,
    astray,
    refused,
    locked,
    expiring,
    replaced,
    unseen,
    stopped,
    silent,
    pair_conditions.still,
    pair_conditions.issues_held,
)
