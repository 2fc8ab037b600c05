"""The pending changes of a connection in numbers, from one cheap query over its open plans."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.store.columns import from_row
from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Outlook:
    """`creates` and `removes` are the open shadow plan's; `held` are removals that wait,
    `plans` the sealed plans among them that a person can decide about."""

    twins: int
    creates: int
    removes: int
    held: int
    plans: int


async def of_connections(conn: Connection, connection_ids: Sequence[int]) -> dict[int, Outlook]:
    """The numbers of each connection, all of one moment."""
    rows = await conn.fetch(
        """
        SELECT c.id, (SELECT count(*) FROM twins t WHERE t.connection_id = c.id) AS twins, o.*
        FROM unnest($1::bigint[]) c (id)
        CROSS JOIN LATERAL (
            SELECT
                count(*) FILTER (WHERE p.kind = 'shadow' AND x.operation = 'create') AS creates,
                count(*) FILTER (WHERE p.kind = 'shadow' AND x.operation = 'remove') AS removes,
                count(*) FILTER (WHERE p.kind = 'removals' AND x.result IS NULL) AS held,
                count(DISTINCT p.id) FILTER (WHERE p.status IN ('held', 'approved')) AS plans
            FROM plans p JOIN plan_changes x ON x.plan_id = p.id
            WHERE p.connection_id = c.id
              AND ((p.kind = 'shadow' AND p.status = 'shadow')
                   OR (p.kind = 'removals' AND p.status IN ('gathering', 'held', 'approved')))
        ) o
        """,
        connection_ids,
    )
    return {row["id"]: from_row(Outlook, row) for row in rows}
