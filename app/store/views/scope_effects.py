"""How many links another configuration of a connection would suspend or resume."""

from dataclasses import dataclass

from app.core.config import ConnectionConfig
from app.core.links import Side
from app.store.pool import Connection

# A row is in scope where its types are mapped as it was written, its origin's side leads, and the
# keys of its four end issues are in the projects (`app.sync.look.scope` goes by what Jira shows).
_EFFECTS = """
    SELECT count(*) FILTER (WHERE managed) AS managed,
           count(*) FILTER (WHERE managed AND NOT inside) AS suspended,
           count(*) FILTER (WHERE resting AND inside) AS resumed
    FROM (
        SELECT l.state = 'managed' AS managed,
               l.state = 'suspended' AND l.former = 'managed' AS resting,
               (l.left_type_id, l.right_type_id) IN
                   (SELECT * FROM unnest($2::bigint[], $3::bigint[]))
               AND l.origin = ANY($4::text[])
               AND s.inside AND d.inside AS inside
        FROM ledger l
        JOIN placed s ON s.id = l.source_twin_id
        JOIN placed d ON d.id = l.destination_twin_id
        WHERE l.connection_id = $1
          AND (l.state = 'managed' OR (l.state = 'suspended' AND l.former = 'managed'))
    ) AS links
"""
_PLACED = """
    WITH placed AS (
        SELECT id, split_part(coalesce(left_moved_key, left_key), '-', 1) = ANY($5::text[])
               AND split_part(coalesce(right_moved_key, right_key), '-', 1) = ANY($6::text[])
               AND coalesce(suspended, 'moved_out_of_scope') = 'moved_out_of_scope' AS inside
        FROM twins WHERE connection_id = $1
    )
"""


@dataclass(frozen=True, slots=True)
class Effects:
    """`suspended` and `resumed` of the links that are managed, or were before they rested."""

    managed: int
    suspended: int
    resumed: int


async def of(
    conn: Connection, connection_id: int, before: ConnectionConfig, after: ConnectionConfig
) -> Effects:
    """An entry of the type map that is turned round suspends the links that it had."""
    turned = {
        (pair.left.id, pair.right.id)
        for pair in before.link_types
        for other in after.link_types
        if (other.left.id, other.right.id) == (pair.left.id, pair.right.id)
        and other.reversed != pair.reversed
    }
    kept = [
        (pair.left.id, pair.right.id)
        for pair in after.link_types
        if (pair.left.id, pair.right.id) not in turned
    ]
    row = await conn.fetchrow(
        _PLACED + _EFFECTS,
        connection_id,
        [int(left) for left, _ in kept],
        [int(right) for _, right in kept],
        [side.value for side in Side if after.direction.allows_origin(side)],
        list(after.left.projects),
        list(after.right.projects),
    )
    assert row is not None
    return Effects(row["managed"], row["suspended"], row["resumed"])
