"""The row that manages a link, of any connection, and the rows that would take over."""

from collections.abc import Iterable, Sequence

from app.core.ledger import Row
from app.core.links import LinkId, PhysicalKey
from app.store.links.ledger import mirror_of, physical_columns, row_value
from app.store.pool import Connection


async def managed_elsewhere(
    conn: Connection, connection_id: int, site_id: int, links: Iterable[LinkId]
) -> set[LinkId]:
    """Those of *links* on a site that another connection manages: never an origin for us."""
    records = await conn.fetch(
        """
        SELECT CASE origin WHEN 'left' THEN right_link_id ELSE left_link_id END AS link_id
        FROM ledger
        WHERE connection_id <> $1 AND mirror_site_id = $2
          AND (state = 'managed' OR (state IN ('suspended', 'orphaned') AND former = 'managed'))
          AND ((origin = 'left' AND right_link_id = ANY($3::bigint[]))
            OR (origin = 'right' AND left_link_id = ANY($3::bigint[])))
        """,
        connection_id,
        site_id,
        [int(link) for link in links],
    )
    return {LinkId(str(record["link_id"])) for record in records}


async def heirs(conn: Connection, connection_id: int, mirror: PhysicalKey) -> list[tuple[int, Row]]:
    """Rows of other existing connections for which our mirror is the preexisting one, each with the
    connection's id, oldest first: if ours withdraws, management may move to one of them."""
    records = await conn.fetch(
        """
        SELECT l.* FROM ledger l JOIN connections c ON c.id = l.connection_id
        WHERE l.connection_id <> $1 AND l.state = 'preexisting' AND c.deleted_at IS NULL
          AND l.mirror_site_id = $2 AND l.mirror_type_id = $3
          AND l.mirror_source_id = $4 AND l.mirror_destination_id = $5
        ORDER BY l.id
        """,
        connection_id,
        *physical_columns(mirror),
    )
    return [(record["connection_id"], row_value(record)) for record in records]


async def heirs_of_connection(
    conn: Connection, connection_id: int, twins: Sequence[int] | None
) -> set[int]:
    """The live connections that record a mirror of ours as preexisting: of the rows at *twins*,
    or of all rows."""
    records = await conn.fetch(
        """
        SELECT DISTINCT h.connection_id FROM ledger l
        JOIN ledger h ON h.mirror_site_id = l.mirror_site_id
         AND h.mirror_type_id = l.mirror_type_id AND h.mirror_source_id = l.mirror_source_id
         AND h.mirror_destination_id = l.mirror_destination_id
         AND h.connection_id <> l.connection_id AND h.state = 'preexisting'
        JOIN connections c ON c.id = h.connection_id AND c.deleted_at IS NULL
        WHERE l.connection_id = $1
          AND (l.state = 'managed'
               OR (l.state IN ('suspended', 'orphaned') AND l.former = 'managed'))
          AND ($2::bigint[] IS NULL OR l.source_twin_id = ANY($2)
               OR l.destination_twin_id = ANY($2))
        """,
        connection_id,
        list(twins) if twins is not None else None,
    )
    return {record["connection_id"] for record in records}


async def managing_preexisting(conn: Connection, connection_id: int) -> list[tuple[int, int]]:
    """The connections that manage a mirror which this one records as preexisting, each with a twin
    at the end of that link, in key order."""
    records = await conn.fetch(
        """
        SELECT DISTINCT l.connection_id, twin FROM ledger h
        JOIN ledger l ON l.mirror_site_id = h.mirror_site_id
         AND l.mirror_type_id = h.mirror_type_id AND l.mirror_source_id = h.mirror_source_id
         AND l.mirror_destination_id = h.mirror_destination_id
         AND l.connection_id <> h.connection_id AND l.state = 'managed'
        CROSS JOIN LATERAL unnest(ARRAY[l.source_twin_id, l.destination_twin_id]) twin
        WHERE h.connection_id = $1 AND h.state = 'preexisting'
        ORDER BY l.connection_id, twin
        """,
        connection_id,
    )
    return [(record["connection_id"], record["twin"]) for record in records]


async def managed_keys(
    conn: Connection, keys: Sequence[PhysicalKey]
) -> dict[PhysicalKey, tuple[int, Row]]:
    """The physical links among *keys* that some row manages or keeps at rest, each with the
    connection's id and the row."""
    records = (
        await conn.fetch(
            """SELECT l.* FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
                u (site, type, source, destination)
           JOIN ledger l ON l.mirror_site_id = u.site AND l.mirror_type_id = u.type
            AND l.mirror_source_id = u.source AND l.mirror_destination_id = u.destination
            AND (l.state = 'managed'
                 OR (l.state IN ('suspended', 'orphaned') AND l.former = 'managed'))""",
            *(
                list(column)
                for column in zip(*(physical_columns(key) for key in keys), strict=True)
            ),
        )
        if keys
        else []
    )
    return {mirror_of(record): (record["connection_id"], row_value(record)) for record in records}
