"""Suspended rows of the ledger."""

from collections.abc import Sequence
from datetime import datetime

from app.core.ledger import Row
from app.store.pool import Connection


async def forget(conn: Connection, rows: Sequence[Row], *, since: datetime) -> set[int]:
    """Delete suspended rows whose link is proven absent on both sides, but for those whose mirror
    is being written, or was since that moment. The ids of the deleted."""
    records = await conn.fetch(
        """DELETE FROM ledger l USING unnest($1::bigint[], $2::int[]) u (id, version)
           WHERE l.id = u.id AND l.version = u.version AND l.state = 'suspended'
             -- The guard counts what was let go.
             AND l.reason <> 'letting_go'
             AND NOT EXISTS (SELECT FROM intents i
                 WHERE i.site_id = l.mirror_site_id AND i.type_id = l.mirror_type_id
                   AND i.key_source_id = l.mirror_source_id
                   AND i.key_destination_id = l.mirror_destination_id
                   AND (i.state = 'open' OR i.closed_at >= $3))
           RETURNING l.id""",
        [row.id for row in rows],
        [row.version for row in rows],
        since,
    )
    return {record["id"] for record in records}
