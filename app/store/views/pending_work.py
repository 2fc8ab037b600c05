"""The pending changes of a connection in numbers, from one cheap query over its open plans."""

from dataclasses import dataclass

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


async def of_connection(conn: Connection, connection_id: int) -> Outlook:
    """The numbers of one connection, all of one moment."""
    [row] = await conn.fetch(
        """
        SELECT (SELECT count(*) FROM twins WHERE connection_id = $1) AS twins,
            count(*) FILTER (WHERE p.kind = 'shadow' AND x.operation = 'create') AS creates,
            count(*) FILTER (WHERE p.kind = 'shadow' AND x.operation = 'remove') AS removes,
            count(*) FILTER (WHERE p.kind = 'removals' AND x.result IS NULL) AS held,
            count(DISTINCT p.id) FILTER (WHERE p.status IN ('held', 'approved')) AS plans
        FROM plans p JOIN plan_changes x ON x.plan_id = p.id
        WHERE p.connection_id = $1
          AND ((p.kind = 'shadow' AND p.status = 'shadow')
               OR (p.kind = 'removals' AND p.status IN ('gathering', 'held', 'approved')))
        """,
        connection_id,
    )
    return Outlook(**row)
