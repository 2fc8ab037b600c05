"""Conditions of single pairs and issues that a person has to know of, one for each connection."""

from datetime import datetime

from app.core.incidents import Impact, IncidentKind
from app.store.alerts.condition import Condition
from app.store.alerts.incidents import Place
from app.store.pool import Connection

MANY = 3
"""Issues. One or two are a person's daily work, which the plan's own notification covers."""


async def parked(conn: Connection, _: datetime) -> list[Condition]:
    """Pairs that ended one process after the other, until a person retries or dismisses them."""
    rows = await conn.fetch(
        """SELECT w.connection_id, count(*) AS pairs, min(w.failed_at) AS since
           FROM work w JOIN connections c ON c.id = w.connection_id AND c.deleted_at IS NULL
           WHERE w.lost >= 2 AND w.failed_at IS NOT NULL
             AND w.dismissed_failure IS DISTINCT FROM w.failure
           GROUP BY w.connection_id ORDER BY w.connection_id"""
    )
    return [
        Condition(
            IncidentKind.PAIRS_PARKED,
            Place(connection_id=row["connection_id"]),
            row["since"],
            Impact.MAJOR,
            {"pairs": row["pairs"], "since": row["since"].isoformat(timespec="seconds")},
        )
        for row in rows
    ]


# A change does not name the issue that it was held for: it is the end that more of them share.
_HELD = """
    WITH held AS (
        SELECT p.connection_id, x.site_id, x.source_id, x.destination_id, x.created_at
        FROM plans p JOIN plan_changes x ON x.plan_id = p.id
        WHERE p.kind = 'removals' AND p.status IN ('gathering', 'held', 'approved')
          AND x.result IS NULL AND x.evidence ->> 'held_for' = 'issue_share'),
    ends AS (
        SELECT connection_id, site_id, issue, count(*) AS shared
        FROM held CROSS JOIN LATERAL unnest(ARRAY[source_id, destination_id]) issue
        GROUP BY connection_id, site_id, issue)
    SELECT h.connection_id, count(*) AS removals, min(h.created_at) AS since,
           count(DISTINCT (h.site_id, CASE WHEN s.shared >= d.shared THEN h.source_id
                                      ELSE h.destination_id END)) AS issues
    FROM held h
    JOIN ends s ON (s.connection_id, s.site_id, s.issue)
                 = (h.connection_id, h.site_id, h.source_id)
    JOIN ends d ON (d.connection_id, d.site_id, d.issue)
                 = (h.connection_id, h.site_id, h.destination_id)
    GROUP BY h.connection_id ORDER BY h.connection_id
"""


async def issues_held(conn: Connection, _: datetime) -> list[Condition]:
    """Connections at many of whose issues removals are held by the rule of one issue."""
    rows = await conn.fetch(_HELD)
    return [
        Condition(
            IncidentKind.ISSUES_HELD,
            Place(connection_id=row["connection_id"]),
            row["since"],
            Impact.MINOR,
            {
                "issue_count": row["issues"],
                "removals": row["removals"],
                "since": row["since"].isoformat(timespec="seconds"),
            },
        )
        for row in rows
        if row["issues"] >= MANY
    ]
