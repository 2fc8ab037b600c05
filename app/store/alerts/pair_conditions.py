"""Conditions of single pairs and issues that a person has to know of, one for each connection."""

from datetime import datetime

from app.core.incidents import Impact, IncidentKind
from app.store.alerts.condition import Condition
from app.store.alerts.incidents import Place
from app.store.pool import Connection, Row

PAIRS = 10
"""A project of fewer pairs comes to rest without an incident."""

MANY = 3
"""Issues. One or two are a person's daily work, which the plan's own notification covers."""


# Both in one statement: an idle worker asks this all the time.
_STILL = """
    WITH orphans AS (
        SELECT DISTINCT l.connection_id, twin FROM ledger l
        CROSS JOIN LATERAL unnest(ARRAY[l.source_twin_id, l.destination_twin_id]) twin
        WHERE l.state = 'orphaned'
    ), resting AS (
        -- What is being let go has an incident of its own.
        SELECT connection_id, id FROM twins WHERE suspended <> 'letting_go'
        UNION
        -- A deleted issue leaves its links at rest, and not the other links of their other ends.
        SELECT connection_id, twin FROM orphans o WHERE NOT EXISTS (
            SELECT FROM ledger l WHERE l.connection_id = o.connection_id
            AND o.twin IN (l.source_twin_id, l.destination_twin_id)
            AND l.state IN ('managed', 'preexisting'))
    ), many AS (
        SELECT connection_id FROM resting GROUP BY connection_id HAVING count(*) * 2 > $1
    ), pairs AS (
        SELECT t.connection_id, c.created_at, side,
               regexp_replace(CASE side WHEN 'left' THEN t.left_key ELSE t.right_key END,
                              '-[0-9]+$', '') AS project,
               r.id IS NOT NULL AS rests,
               CASE WHEN r.id IS NOT NULL THEN coalesce(
                   (SELECT max(l.changed_at) FROM ledger l
                    WHERE l.connection_id = t.connection_id
                      AND t.id IN (l.source_twin_id, l.destination_twin_id)
                      AND l.state IN ('suspended', 'orphaned')), c.created_at) END AS at
        FROM twins t JOIN connections c ON c.id = t.connection_id AND c.deleted_at IS NULL
        LEFT JOIN resting r ON r.connection_id = t.connection_id AND r.id = t.id
        CROSS JOIN (VALUES ('left'), ('right')) s (side)
        WHERE t.connection_id IN (SELECT connection_id FROM many)
    ), most AS (
        SELECT connection_id, side, project, count(*) AS pairs,
               count(*) FILTER (WHERE rests) AS resting,
               -- When the half was passed.
               (array_agg(at ORDER BY at) FILTER (WHERE rests))[count(*) / 2 + 1] AS since
        FROM pairs GROUP BY connection_id, side, project
        HAVING count(*) >= $1 AND count(*) FILTER (WHERE rests) * 2 > count(*)
    ), parked AS (
        SELECT w.connection_id, count(*) AS pairs, min(w.failed_at) AS since
        FROM work w JOIN connections c ON c.id = w.connection_id AND c.deleted_at IS NULL
        WHERE w.lost >= 2 AND w.failed_at IS NOT NULL
          AND w.dismissed_failure IS DISTINCT FROM w.failure
        GROUP BY w.connection_id
    )
    SELECT connection_id, since, pairs, NULL AS resting, NULL AS projects FROM parked
    UNION ALL
    SELECT connection_id, min(since), max(pairs), max(resting),
           (array_agg(DISTINCT project ORDER BY project))[:10]
    FROM most GROUP BY connection_id ORDER BY connection_id, resting
"""


async def still(conn: Connection, _: datetime) -> list[Condition]:
    """Pairs that ended one process after the other, until a person retries or dismisses them; and
    connections of which most pairs of a project rest."""
    return [
        _parked(row) if row["resting"] is None else _resting(row)
        for row in await conn.fetch(_STILL, PAIRS)
    ]


def _parked(row: Row) -> Condition:
    return Condition(
        IncidentKind.PAIRS_PARKED,
        Place(connection_id=row["connection_id"]),
        row["since"],
        Impact.MAJOR,
        {"pairs": row["pairs"], "since": row["since"].isoformat(timespec="seconds")},
    )


def _resting(row: Row) -> Condition:
    """Since the moment when the first of the projects passed the half; the numbers are those of the
    largest."""
    return Condition(
        IncidentKind.PAIRS_AT_REST,
        Place(connection_id=row["connection_id"]),
        row["since"],
        Impact.MAJOR,
        {
            "resting": row["resting"],
            "pairs": row["pairs"],
            "projects": ", ".join(row["projects"]),
        },
    )


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
