"""The ledger for people: each link with both of its sides.

A write whose outcome is not known yet shows as `unconfirmed`: in place of its row's state, or,
for a create that has no row yet, as an entry of its own (position `1:…` after all rows).
"""

from dataclasses import dataclass
from datetime import datetime

from app.core.ledger import Authorship
from app.core.links import IssueRef, LinkId, Side
from app.store.columns import from_row, issue_ref, link_id
from app.store.pool import Connection, Row

_LINKS = """
WITH pending AS (
    SELECT * FROM intents
    WHERE connection_id = $1 AND state = 'open' AND unconfirmed_since IS NOT NULL
), all_links AS (
    SELECT 0 AS kind, l.id, l.left_type_id, l.right_type_id, l.origin, l.authorship, l.reason,
           CASE WHEN EXISTS (SELECT 1 FROM pending p
                    WHERE p.left_type_id = l.left_type_id AND l.state <> 'released'
                      AND p.source_twin_id = l.source_twin_id
                      AND p.destination_twin_id = l.destination_twin_id)
                THEN 'unconfirmed' ELSE l.state END AS state,
           l.left_link_id, l.right_link_id, l.changed_at,
           l.left_source_id, l.left_source_key, l.left_destination_id, l.left_destination_key,
           l.right_source_id, l.right_source_key, l.right_destination_id, l.right_destination_key
    FROM ledger l WHERE l.connection_id = $1
    UNION ALL
    SELECT 1, p.id, p.left_type_id, p.right_type_id, p.origin, NULL, p.operation, 'unconfirmed',
           CASE p.origin WHEN 'left' THEN p.origin_link_id END,
           CASE p.origin WHEN 'right' THEN p.origin_link_id END, p.unconfirmed_since,
           CASE p.origin WHEN 'left' THEN p.origin_source_id ELSE p.source_id END,
           CASE p.origin WHEN 'left' THEN p.origin_source_key ELSE p.source_key END,
           CASE p.origin WHEN 'left' THEN p.origin_destination_id ELSE p.destination_id END,
           CASE p.origin WHEN 'left' THEN p.origin_destination_key ELSE p.destination_key END,
           CASE p.origin WHEN 'right' THEN p.origin_source_id ELSE p.source_id END,
           CASE p.origin WHEN 'right' THEN p.origin_source_key ELSE p.source_key END,
           CASE p.origin WHEN 'right' THEN p.origin_destination_id ELSE p.destination_id END,
           CASE p.origin WHEN 'right' THEN p.origin_destination_key ELSE p.destination_key END
    FROM pending p
    WHERE NOT EXISTS (SELECT 1 FROM ledger l
        WHERE l.connection_id = $1 AND l.state <> 'released' AND l.left_type_id = p.left_type_id
          AND l.source_twin_id = p.source_twin_id
          AND l.destination_twin_id = p.destination_twin_id)
)
SELECT a.*, coalesce(lt.name, a.left_type_id::text) AS left_type,
       coalesce(rt.name, a.right_type_id::text) AS right_type
FROM all_links a
JOIN connections c ON c.id = $1
LEFT JOIN link_types lt ON lt.site_id = c.left_site_id AND lt.type_id = a.left_type_id
LEFT JOIN link_types rt ON rt.site_id = c.right_site_id AND rt.type_id = a.right_type_id
WHERE (a.kind, a.id) > ($2, $3)
  AND ($4::text IS NULL OR a.state = $4)
  AND ($5::text IS NULL OR $5 IN
       (left_source_key, left_destination_key, right_source_key, right_destination_key))
  AND ($6::text IS NULL OR $6 IN
       (lt.name, rt.name, a.left_type_id::text, a.right_type_id::text))
ORDER BY a.kind, a.id LIMIT $7
"""


@dataclass(frozen=True, slots=True)
class SideShown:
    """A link on one side. `link_id` is None if there is no link or its id is not known; `type` is
    a name, or an id that the site no longer names."""

    link_id: LinkId | None
    type: str
    source: IssueRef
    destination: IssueRef


@dataclass(frozen=True, slots=True)
class LinkShown:
    """One entry of the list. `state` is the ledger's, or `unconfirmed`. An entry without a row of
    the ledger has an `id` of a mark and the id of its intent, which has its own numbers.
    `position` orders the list."""

    id: str
    position: str
    state: str
    origin: Side
    authorship: Authorship | None
    reason: str
    changed_at: datetime
    left: SideShown
    right: SideShown


async def page(
    conn: Connection,
    connection_id: int,
    *,
    state: str | None,
    issue: str | None,
    type: str | None,
    after: str,
    limit: int,
) -> list[LinkShown]:
    """*issue* is a key of either side, *type* a name or id of either side."""
    kind, _, number = after.partition(":")
    rows = await conn.fetch(
        _LINKS,
        connection_id,
        int(kind) if kind.isdecimal() else 0,
        int(number) if number.isdecimal() else 0,
        state,
        issue,
        type,
        limit,
    )
    return [_link(row) for row in rows]


def _link(row: Row) -> LinkShown:
    return from_row(
        LinkShown,
        row,
        id=f"intent-{row['id']}" if row["kind"] else str(row["id"]),
        position=f"{row['kind']}:{row['id']}",
        origin=Side(row["origin"]),
        authorship=Authorship(row["authorship"]) if row["authorship"] else None,
        left=_side(row, Side.LEFT),
        right=_side(row, Side.RIGHT),
    )


def _side(row: Row, side: Side) -> SideShown:
    return SideShown(
        link_id(row[f"{side.value}_link_id"]),
        row[f"{side.value}_type"],
        issue_ref(row, f"{side.value}_source"),
        issue_ref(row, f"{side.value}_destination"),
    )
