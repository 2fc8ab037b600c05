"""Writes under way, or with an unknown outcome."""

from collections.abc import Sequence

from app.store.pool import Connection, Row


async def page(
    conn: Connection,
    *,
    within: Sequence[int] | None,
    connection: str | None,
    unconfirmed: bool,
    after: int,
    limit: int,
) -> list[Row]:
    """Open intents, oldest first; *unconfirmed*: only those with an unknown outcome."""
    return await conn.fetch(
        """
        SELECT i.*, c.name AS connection, s.name AS site, coalesce(t.name, i.type_id::text) AS type
        FROM intents i JOIN connections c ON c.id = i.connection_id JOIN sites s ON s.id = i.site_id
        LEFT JOIN link_types t ON t.site_id = i.site_id AND t.type_id = i.type_id
        WHERE i.state = 'open' AND i.id > $1 AND ($2::bigint[] IS NULL OR c.id = ANY($2))
          AND ($3::text IS NULL OR c.name = $3) AND (NOT $4 OR i.unconfirmed_since IS NOT NULL)
        ORDER BY i.id LIMIT $5
        """,
        after,
        within,
        connection,
        unconfirmed,
        limit,
    )
