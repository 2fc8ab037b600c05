"""Accepted webhook deliveries, for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.store.columns import from_row
from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class DeliveryShown:
    """What is kept of a delivery; its text is not. `kind` is the name that the parser gives to
    Jira's event. `late`: it happened more than a day before it came."""

    id: int
    site: str
    delivery: str
    kind: str
    received_at: datetime
    occurred_at: datetime | None
    late: bool
    issue_id: int | None
    link_id: int | None
    type_id: int | None
    source_id: int | None
    destination_id: int | None
    fields: list[str]


KINDS = frozenset(
    ("link_created", "link_deleted", "issue_created", "issue_updated", "issue_deleted")
)
# A pair that is suspended for another reason may have moved out as well: its key says so.
_WITHIN = """
    num_nonnulls(i.issue_id, i.source_id, i.destination_id) > 0
    AND NOT EXISTS (
        SELECT FROM unnest(ARRAY[i.issue_id, i.source_id, i.destination_id]) named (id)
        WHERE named.id IS NOT NULL AND NOT EXISTS (
            SELECT FROM twins t WHERE t.connection_id = ANY($)
              AND t.suspended IS DISTINCT FROM 'moved_out_of_scope'
              AND ((t.left_site_id = i.site_id AND t.left_issue_id = named.id
                    AND t.left_moved_key IS NULL)
                OR (t.right_site_id = i.site_id AND t.right_issue_id = named.id
                    AND t.right_moved_key IS NULL))))"""
# Ids are given within seconds of the time: what came since then is not looked for below these.
_SINCE = """i.received_at >= $ AND i.id >= (
    SELECT min(id) FROM (
        SELECT id FROM inbox WHERE received_at >= $::timestamptz - interval '5 minutes'
        ORDER BY received_at LIMIT 1000) near)"""


async def page(
    conn: Connection,
    *,
    within: Sequence[int] | None,
    site: str | None,
    kind: str | None,
    since: datetime | None,
    before: int,
    limit: int,
) -> list[DeliveryShown]:
    """Deliveries, newest first. With *within*, only those in which every issue has a twin in one of
    these connections and in its scope: issues of another tenant on the same site are not shown."""
    # Site and kind are in the text, so that the plan is for them: a quiet site, or a kind
    # of which there are few, has its index, and any other is found on the way.
    plain = ["true"]
    if site is not None:
        plain.append(f"i.site_id = {await _site_id(conn, site)}")
    if kind is not None:
        plain.append(f"i.kind = '{kind if kind in KINDS else ''}'")
    asked: list[tuple[str, object]] = [("i.id < $", before), (_WITHIN, within), (_SINCE, since)]
    given = [(text, value) for text, value in asked if value is not None]
    bound = [text.replace("$", f"${at}") for at, (text, _) in enumerate(given, 1)]
    where = " AND ".join(plain + bound)
    rows = await conn.fetch(
        f"""
        SELECT i.*, s.name AS site,
               coalesce(i.occurred_at < i.received_at - interval '1 day', false) AS late
        FROM (SELECT * FROM inbox i WHERE {where} ORDER BY i.id DESC LIMIT ${len(given) + 1}) i
        JOIN sites s ON s.id = i.site_id ORDER BY i.id DESC
        """,  # noqa: S608 - conditions of ours, values bound
        *(value for _, value in given),
        limit,
    )
    return [from_row(DeliveryShown, row) for row in rows]


async def _site_id(conn: Connection, name: str) -> int:
    found: int | None = await conn.fetchval("SELECT id FROM sites WHERE name = $1", name)
    return 0 if found is None else found
