"""Removals that wait in a plan and that its connection can carry out no longer: another connection
manages their mirror by now, or their pair has ended."""

from collections.abc import Mapping
from datetime import datetime

from app.core.plan import PlanStatus
from app.store.guard import held_plans
from app.store.pool import Connection
from app.store.writes.intents import Mirror

_NOTE = "nothing of it holds any more"


async def end(
    conn: Connection, connection_id: int, lost: Mapping[Mirror, str], now: datetime
) -> None:
    """Close the open changes about these mirrors, each for its reason; what is not sealed yet
    leaves its plan. A plan that waits for a person and has nothing left to decide is over: that
    is no decision, and the guard stays as it is. Under the connection's lock."""
    if not lost:
        return
    mirrors = list(lost)
    columns = (
        [site for site, _ in mirrors],
        [int(link) for _, link in mirrors],
        [lost[it] for it in mirrors],
    )
    await conn.execute(
        """DELETE FROM plan_changes c
           USING plans p, unnest($2::bigint[], $3::bigint[], $4::text[]) u (site, link, reason)
           WHERE p.id = c.plan_id AND p.connection_id = $1 AND p.kind = 'removals'
             AND p.status = 'gathering' AND c.site_id = u.site AND c.link_id = u.link""",
        connection_id,
        *columns,
    )
    rows = await conn.fetch(
        """UPDATE plan_changes c SET result = 'skipped:' || u.reason
           FROM plans p, unnest($2::bigint[], $3::bigint[], $4::text[]) u (site, link, reason)
           WHERE p.id = c.plan_id AND p.connection_id = $1 AND p.kind = 'removals'
             AND p.status IN ('held', 'approved', 'applying') AND c.result IS NULL
             AND c.site_id = u.site AND c.link_id = u.link
           RETURNING p.id""",
        connection_id,
        *columns,
    )
    for plan_id in await _emptied(conn, {row["id"] for row in rows}):
        await held_plans.decide(
            conn, plan_id, PlanStatus.EXPIRED, by="twinlink", note=_NOTE, now=now
        )


async def _emptied(conn: Connection, plans: set[int]) -> list[int]:
    """Those of *plans* that wait for a person and have no open change."""
    rows = await conn.fetch(
        """SELECT id FROM plans WHERE id = ANY($1::bigint[]) AND status IN ('held', 'approved')
             AND NOT EXISTS (SELECT 1 FROM plan_changes
                             WHERE plan_id = plans.id AND result IS NULL)""",
        sorted(plans),
    )
    return [row["id"] for row in rows]
