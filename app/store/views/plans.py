"""Plans, for people."""

from collections.abc import Sequence

from app.store.pool import Connection, Row

_SELECT = """
    SELECT p.*, c.name AS connection,
        (SELECT count(*) FROM plan_changes x
          WHERE x.plan_id = p.id AND x.operation = 'create') AS creates,
        (SELECT count(*) FROM plan_changes x
          WHERE x.plan_id = p.id AND x.operation = 'remove') AS removes,
        (SELECT count(*) FROM plan_changes x
          WHERE x.plan_id = p.id AND x.operation = 'adopt') AS adopts
    FROM plans p JOIN connections c ON c.id = p.connection_id
"""


def visible(within: int) -> str:
    """A condition on `p` and `c`: a reader sees a plan only if they may see all connections of its
    changes. *within* is the number of the parameter with these; its value is null for all."""
    return f"""(${within}::bigint[] IS NULL OR (c.id = ANY(${within}) AND NOT EXISTS (
        SELECT 1 FROM plan_changes v
        WHERE v.plan_id = p.id AND NOT (v.connection_id = ANY(${within})))))"""  # noqa: S608 - texts of ours


async def by_id(conn: Connection, plan_id: int, within: Sequence[int] | None) -> Row | None:
    """One plan; with *within*, only of these connections."""
    return await conn.fetchrow(f"{_SELECT} WHERE p.id = $1 AND {visible(2)}", plan_id, within)


async def page(
    conn: Connection,
    *,
    within: Sequence[int] | None,
    connection: str | None,
    status: str | None,
    before: int,
    limit: int,
) -> list[Row]:
    """Newest first."""
    return await conn.fetch(
        f"""{_SELECT} WHERE p.id < $1 AND {visible(2)}
            AND ($3::text IS NULL OR c.name = $3) AND ($4::text IS NULL OR p.status = $4)
            ORDER BY p.id DESC LIMIT $5""",
        before,
        within,
        connection,
        status,
        limit,
    )


async def changes(conn: Connection, plan_id: int, *, after: str, limit: int) -> list[Row]:
    """Changes in the order of their keys; *after* is the `position` of the last one seen."""
    site, type_id, source, destination, operation = (after.split(":") + [""] * 5)[:5]
    return await conn.fetch(
        """
        SELECT x.*, s.name AS site, coalesce(t.name, x.type_id::text) AS type,
               concat_ws(':', x.site_id, x.type_id, x.source_id, x.destination_id, x.operation)
                   AS position
        FROM plan_changes x JOIN sites s ON s.id = x.site_id
        LEFT JOIN link_types t ON t.site_id = x.site_id AND t.type_id = x.type_id
        WHERE x.plan_id = $1
          AND (x.site_id, x.type_id, x.source_id, x.destination_id, x.operation)
              > ($2, $3, $4, $5, $6)
        ORDER BY x.site_id, x.type_id, x.source_id, x.destination_id, x.operation LIMIT $7
        """,
        plan_id,
        *(int(text) if text.isdecimal() else 0 for text in (site, type_id, source, destination)),
        operation,
        limit,
    )
