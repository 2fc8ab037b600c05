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


@dataclass(frozen=True, slots=True)
class Planned:
    """What the open shadow plan would do on one site with links of one type."""

    site: str
    type: str
    creates: int
    removes: int


async def planned(conn: Connection, connection_id: int) -> list[Planned]:
    """The open shadow plan of a connection, counted by site and type. Above shadow it is what was
    planned before the mode was raised, and counts for nothing."""
    rows = await conn.fetch(
        """
        SELECT s.name AS site, coalesce(t.name, x.type_id::text) AS type,
            count(*) FILTER (WHERE x.operation = 'create') AS creates,
            count(*) FILTER (WHERE x.operation = 'remove') AS removes
        FROM plans p JOIN connections c ON c.id = p.connection_id AND c.mode = 'shadow'
        JOIN plan_changes x ON x.plan_id = p.id JOIN sites s ON s.id = x.site_id
        LEFT JOIN link_types t ON t.site_id = x.site_id AND t.type_id = x.type_id
        WHERE p.connection_id = $1 AND p.kind = 'shadow' AND p.status = 'shadow'
        GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2
        """,
        connection_id,
    )
    return [from_row(Planned, row) for row in rows]


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
