"""Links that are being written, were written lately, or that we removed: from the intents."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from app.core.links import LinkId, PhysicalKey
from app.store.pool import Connection
from app.store.writes.intents import physical_of

# A link written this often in ten minutes, or re-created this often in a day, is left alone.
FLAPPING_WRITES = 4


FLAPPING_RECREATIONS = 2


async def open_at(conn: Connection, keys: Sequence[PhysicalKey]) -> set[PhysicalKey]:
    """The physical links among *keys* with an open intent."""
    rows = await conn.fetch(
        """SELECT i.site_id, i.type_id, i.key_source_id, i.key_destination_id
           FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
                u (site, type, source, destination)
           JOIN intents i ON i.state = 'open' AND i.site_id = u.site AND i.type_id = u.type
            AND i.key_source_id = u.source AND i.key_destination_id = u.destination""",
        *_columns(keys),
    )
    return {physical_of(row) for row in rows}


async def written_since(
    conn: Connection, keys: Sequence[PhysicalKey], since: datetime
) -> set[PhysicalKey]:
    """The physical links among *keys* for which an intent was closed after *since*: a read that
    began before may be out of date."""
    rows = await conn.fetch(
        """SELECT DISTINCT i.site_id, i.type_id, i.key_source_id, i.key_destination_id
           FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
                u (site, type, source, destination)
           JOIN intents i ON i.closed_at > $5 AND i.site_id = u.site AND i.type_id = u.type
            AND i.key_source_id = u.source AND i.key_destination_id = u.destination""",
        *_columns(keys),
        since,
    )
    return {physical_of(row) for row in rows}


async def flapping(
    conn: Connection, keys: Sequence[PhysicalKey], now: datetime
) -> set[PhysicalKey]:
    """The physical links among *keys* that were written more than four times in ten minutes, or
    made again in place of a vanished mirror twice in a day: we never fight a person or a tool.

    Writes that certainly did not act do not count. Those that confirmation found without effect do.
    """
    rows = await conn.fetch(
        """SELECT i.site_id, i.type_id, i.key_source_id, i.key_destination_id
           FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
                u (site, type, source, destination)
           JOIN intents i ON i.site_id = u.site AND i.type_id = u.type
            AND i.key_source_id = u.source AND i.key_destination_id = u.destination
            AND i.created_at > $5 AND (i.state <> 'failed' OR i.outcome LIKE 'confirmed%')
           GROUP BY 1, 2, 3, 4
           HAVING count(*) FILTER (WHERE i.created_at > $6) >= $7
               OR count(*) FILTER (WHERE i.operation = 'create' AND i.ledger_id IS NOT NULL) >= $8
        """,
        *_columns(keys),
        now - timedelta(days=1),
        now - timedelta(minutes=10),
        FLAPPING_WRITES,
        FLAPPING_RECREATIONS,
    )
    return {physical_of(row) for row in rows}


async def open_for_twins(
    conn: Connection, connection_id: int, twins: Iterable[int]
) -> dict[int, datetime]:
    """The twins among *twins* at an end of an open intent of this connection, with the time
    when the oldest of these was opened."""
    rows = await conn.fetch(
        """SELECT u.twin, min(i.created_at) AS opened FROM unnest($2::bigint[]) u (twin)
           JOIN intents i ON i.connection_id = $1 AND i.state = 'open'
            AND u.twin IN (i.source_twin_id, i.destination_twin_id) GROUP BY u.twin""",
        connection_id,
        list(twins),
    )
    return {row["twin"]: row["opened"] for row in rows}


async def removed_links(
    conn: Connection,
    site: int,
    links: Iterable[LinkId],
    *,
    by: int | None = None,
    before: datetime | None = None,
) -> set[LinkId]:
    """Those of *links* on a site that we removed, *by* one connection or by any, and *before* a
    time where that is given. What was removed before the site went back in time is forgotten: its
    ids were given out again since."""
    rows = await conn.fetch(
        """SELECT link_id FROM intents WHERE site_id = $1 AND link_id = ANY($2::bigint[])
           AND operation = 'remove' AND state = 'applied'
           AND ($3::bigint IS NULL OR connection_id = $3)
           AND ($4::timestamptz IS NULL OR closed_at < $4)
           AND closed_at > coalesce((SELECT max(last_seen_at) FROM incidents
               WHERE kind = 'site_went_back' AND site_id = $1), '-infinity')""",
        site,
        [int(link) for link in links],
        by,
        before,
    )
    return {LinkId(str(row["link_id"])) for row in rows}


def _columns(keys: Sequence[PhysicalKey]) -> tuple[list[int], list[int], list[int], list[int]]:
    return (
        [key.site for key in keys],
        [int(key.type_id) for key in keys],
        [int(key.source) for key in keys],
        [int(key.destination) for key in keys],
    )
