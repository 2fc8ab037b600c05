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

_ROWS = """
    SELECT 0 AS kind, l.id, l.left_type_id, l.right_type_id, l.origin, l.authorship, l.reason,
           CASE WHEN p.id IS NULL THEN l.state ELSE 'unconfirmed' END AS state,
           l.left_link_id, l.right_link_id, l.changed_at,
           l.left_source_id, l.left_source_key, l.left_destination_id, l.left_destination_key,
           l.right_source_id, l.right_source_key, l.right_destination_id, l.right_destination_key
    FROM ledger l LEFT JOIN LATERAL (
        SELECT p.id FROM pending p WHERE l.state <> 'released' AND p.left_type_id = l.left_type_id
          AND p.source_twin_id = l.source_twin_id
          AND p.destination_twin_id = l.destination_twin_id LIMIT 1) p ON true
    WHERE l.connection_id = $1 AND l.id > $2"""
_PENDING = """
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
    WHERE p.id > $3 AND NOT EXISTS (SELECT 1 FROM ledger l
        WHERE l.connection_id = $1 AND l.state <> 'released' AND l.left_type_id = p.left_type_id
          AND l.source_twin_id = p.source_twin_id
          AND l.destination_twin_id = p.destination_twin_id)"""

_KEYS = ("left_key", "right_key", "left_moved_key", "right_moved_key")
"""The last two are of issues that moved out of scope: they name projects of other tenants."""
# Of the pairs that have the key now; and of those that were released, whose pair may be gone, by
# the key that was theirs then.
_OF_ISSUE = """l.id = ANY(ARRAY(
    SELECT r.id FROM twins t JOIN ledger r ON r.connection_id = $1
      AND (r.source_twin_id = t.id OR r.destination_twin_id = t.id)
    WHERE t.connection_id = $1 AND ({named})
    UNION ALL
    SELECT r.id FROM ledger r WHERE r.connection_id = $1 AND r.state = 'released'
      AND (r.left_source_key = {issue} OR r.left_destination_key = {issue}
        OR r.right_source_key = {issue} OR r.right_destination_key = {issue})))"""
_OF_TYPE = """(
    {type} IN ({it}.left_type_id::text, {it}.right_type_id::text)
    OR EXISTS (
        SELECT FROM connections o JOIN link_types y ON y.name = {type}
          AND ((y.site_id = o.left_site_id AND y.type_id = {it}.left_type_id)
            OR (y.site_id = o.right_site_id AND y.type_id = {it}.right_type_id))
        WHERE o.id = $1))"""
# With OFFSET 0 it is asked of one row after another, in the order of the page.
_BEING_WRITTEN = """EXISTS (
    SELECT FROM pending w WHERE l.state <> 'released' AND w.left_type_id = l.left_type_id
      AND w.source_twin_id = l.source_twin_id AND w.destination_twin_id = l.destination_twin_id
    OFFSET 0)"""
_WRITTEN = """l.id = ANY(ARRAY(
    SELECT r.id FROM pending w JOIN ledger r ON r.connection_id = $1 AND r.state <> 'released'
      AND r.left_type_id = w.left_type_id AND r.source_twin_id = w.source_twin_id
      AND r.destination_twin_id = w.destination_twin_id))"""


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


@dataclass(frozen=True, slots=True)
class Filters:
    """None: any. `issue` is a key of either side, `type` a name or id of either side."""

    state: str | None = None
    issue: str | None = None
    type: str | None = None


async def page(
    conn: Connection,
    connection_id: int,
    filters: Filters,
    *,
    after: str,
    limit: int,
    confined: bool,
) -> list[LinkShown]:
    """In the order of their ids, entries without a row last. A reader who is *confined* to
    connections finds an issue that moved out of scope by its last key in scope only."""
    kind, _, number = after.partition(":")
    rows_done = kind.isdecimal() and int(kind) > 0
    position = int(number) if number.isdecimal() else 0
    rows = await conn.fetch(
        _page(filters, rows_done=rows_done, confined=confined),
        connection_id,
        0 if rows_done else position,
        position if rows_done else 0,
        limit,
        *(it for it in (filters.state, filters.issue, filters.type) if it is not None),
    )
    return [_link(row) for row in rows]


def _page(filters: Filters, *, rows_done: bool, confined: bool) -> str:
    """Each part ends with its page, and has only the conditions that are asked for, so that an
    index serves them."""
    numbers = iter(range(5, 8))
    state = f"${next(numbers)}" if filters.state is not None else None
    issue = f"${next(numbers)}" if filters.issue is not None else None
    kind = f"${next(numbers)}" if filters.type is not None else None
    ledger, pending = _ROWS, _PENDING
    if state is not None:
        # A row whose write is open shows as that, whatever the ledger calls it.
        if filters.state == "unconfirmed":
            ledger += f" AND {_WRITTEN} AND 'unconfirmed' = {state}"
        else:
            ledger += f" AND l.state = {state} AND NOT {_BEING_WRITTEN}"
        pending += f" AND 'unconfirmed' = {state}"
    if issue is not None:
        own = " OR ".join(f"t.{column} = {issue}" for column in (_KEYS[:2] if confined else _KEYS))
        ledger += f" AND {_OF_ISSUE.format(issue=issue, named=own)}"
        keys = "p.origin_source_key, p.origin_destination_key, p.source_key, p.destination_key"
        pending += f" AND {issue} IN ({keys})"
    if kind is not None:
        ledger += f" AND {_OF_TYPE.format(it='l', type=kind)}"
        pending += f" AND {_OF_TYPE.format(it='p', type=kind)}"
    return f"""WITH pending AS (
            SELECT * FROM intents
            WHERE connection_id = $1 AND state = 'open' AND unconfirmed_since IS NOT NULL)
        SELECT a.*, coalesce(lt.name, a.left_type_id::text) AS left_type,
               coalesce(rt.name, a.right_type_id::text) AS right_type
        FROM (({ledger} AND {not rows_done} ORDER BY l.id LIMIT $4)
              UNION ALL ({pending} ORDER BY p.id LIMIT $4)) a
        JOIN connections c ON c.id = $1
        LEFT JOIN link_types lt ON lt.site_id = c.left_site_id AND lt.type_id = a.left_type_id
        LEFT JOIN link_types rt ON rt.site_id = c.right_site_id AND rt.type_id = a.right_type_id
        ORDER BY a.kind, a.id LIMIT $4"""  # noqa: S608 - texts of ours, values bound


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
