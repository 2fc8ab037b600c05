"""Pairs at rest: out of scope, claimed twice, or with an issue that cannot be seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.store.pool import Connection

PAIRS = 10
"""A project of fewer pairs comes to rest without an incident."""

_MOST = """
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
    )
    SELECT connection_id, min(since) AS since, max(pairs) AS pairs, max(resting) AS resting,
           (array_agg(DISTINCT project ORDER BY project))[:10] AS projects
    FROM most GROUP BY connection_id ORDER BY connection_id
"""


@dataclass(frozen=True, slots=True)
class Resting:
    """A connection of which more than half of the pairs of these projects rest, since the moment
    when the first of them passed the half. The numbers are those of the largest."""

    connection_id: int
    since: datetime
    pairs: int
    resting: int
    projects: Sequence[str]


async def most(conn: Connection) -> list[Resting]:
    return [Resting(**row) for row in await conn.fetch(_MOST, PAIRS)]
