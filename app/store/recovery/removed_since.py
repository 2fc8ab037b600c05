"""Links that were put back or made again since the removal which a plan is about."""

from collections.abc import Sequence
from datetime import datetime

from app.store.pool import Connection
from app.store.recovery.restore_changes import Place, PlanLink


async def made_since(conn: Connection, links: Sequence[PlanLink]) -> set[Place]:
    """The places at which the last thing that we did since the removal was a create. If no link is
    there now, another account has removed it."""
    asked = [(it.place, at) for it in links if (at := it.evidence.get("removed_at"))]
    if not asked:
        return set()
    rows = await conn.fetch(
        """
        WITH sought AS MATERIALIZED (
            SELECT u.*, s.name FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],
                $5::timestamptz[]) WITH ORDINALITY u (site, type, source, destination, at, n)
            JOIN sites s ON s.id = u.site),
        -- Each issue's history is read once, however many of its links are sought.
        done AS MATERIALIZED (
            SELECT a.* FROM (SELECT name, source, min(at) AS at FROM sought GROUP BY 1, 2) i
            JOIN audit a ON a.site = i.name AND a.source_id = i.source AND a.at > i.at
            WHERE a.status = 'applied' AND a.operation IN ('create', 'remove')
              AND NOT EXISTS (SELECT 1 FROM audit b WHERE b.intent_id = a.intent_id
                              AND b.id > a.id AND b.status <> 'applied'))
        SELECT n FROM (
            SELECT DISTINCT ON (u.n) u.n, a.operation FROM sought u
            JOIN done a ON a.site = u.name AND a.source_id = u.source AND a.type_id = u.type
             AND a.destination_id = u.destination AND a.at > u.at
            ORDER BY u.n, a.id DESC) last
        WHERE operation = 'create'
        """,
        [place.site for place, _ in asked],
        [int(place.type_id) for place, _ in asked],
        [int(place.source) for place, _ in asked],
        [int(place.destination) for place, _ in asked],
        [datetime.fromisoformat(at) for _, at in asked],
    )
    return {asked[row["n"] - 1][0] for row in rows}
