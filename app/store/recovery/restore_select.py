"""Select the links of a restore or an undo: those that our audit says we removed or made.

The last outcome of an intent counts; of several removals of one link the last one, whose id it
had. Everything is copied within the database: five thousand links never pass through here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Filters:
    """None or empty matches any. `within` are the connections that the caller may see. `issues` are
    keys of either side, as in the audit or as twins have them now. `cause` is a kind, or
    `kind:id`."""

    within: Sequence[int] | None = None
    connection: int | None = None
    site: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    revision: int | None = None
    plan: int | None = None
    engine: str | None = None
    cause: str | None = None
    issues: Sequence[str] = ()
    link_ids: Sequence[int] = ()

    def where(self, first: int) -> tuple[str, list[Any]]:
        """Conditions on the audit row `a`, with their parameters from `$first` on."""
        kind, _, cause_id = (self.cause or "").partition(":")
        asked: list[tuple[str, Any]] = [
            ("a.connection_id = ANY($)", self.within),
            ("a.connection_id = $", self.connection),
            ("a.site = $", self.site),
            ("a.at >= $", self.since),
            ("a.at < $", self.until),
            ("a.revision = $", self.revision),
            ("a.plan_id = $", self.plan),
            ("a.engine = $", self.engine),
            ("a.cause_kind = $", kind or None),
            ("a.cause_id = $", cause_id or None),
            (_of_issues(confined=self.within is not None), list(self.issues) or None),
            ("a.link_id = ANY($::bigint[])", list(self.link_ids) or None),
        ]
        given = [(text, value) for text, value in asked if value is not None]
        texts = [text.replace("$", f"${at}") for at, (text, _) in enumerate(given, start=first)]
        return " AND ".join(texts) or "true", [value for _, value in given]


# Keys move and audit rows do not: what the twins of a named issue are called now finds their ids.
# Each branch is an index's; asked of every audit row instead, this never ended (6 million rows).
# The key of an issue that moved out of scope is another tenant's: no confined caller may try it.
def _of_issues(*, confined: bool) -> str:
    columns = ("t.left_key", "t.right_key", "t.left_moved_key", "t.right_moved_key")
    named = " OR ".join(f"{it} = ANY($::text[])" for it in columns[: 2 if confined else 4])
    return _ISSUES.replace("NAMED", named)


_ISSUES = """a.id IN (
    SELECT b.id FROM audit b WHERE b.source_key = ANY($::text[])
    UNION SELECT b.id FROM audit b WHERE b.destination_key = ANY($::text[])
    UNION SELECT b.id FROM (
        SELECT t.connection_id, s.name AS site, e.issue_id
        FROM twins t
        CROSS JOIN LATERAL (VALUES (t.left_site_id, t.left_issue_id),
                                   (t.right_site_id, t.right_issue_id)) e (site_id, issue_id)
        JOIN sites s ON s.id = e.site_id
        WHERE NAMED) n
    CROSS JOIN LATERAL (
        SELECT id FROM audit WHERE site = n.site AND source_id = n.issue_id
           AND connection_id = n.connection_id
        UNION ALL
        SELECT id FROM audit WHERE site = n.site AND destination_id = n.issue_id
           AND connection_id = n.connection_id) b)"""

# The result of an intent: its last outcome.
_APPLIED = """a.status = 'applied' AND NOT EXISTS (SELECT 1 FROM audit b
    WHERE b.intent_id = a.intent_id AND b.id > a.id AND b.status <> 'applied')"""

# Only the columns of plan changes; $1 is the plan, $2 the time.
_TO_CREATE = """
    INSERT INTO plan_changes (plan_id, operation, connection_id, site_id, type_id, source_id,
        source_key, destination_id, destination_key, link_id, reason, evidence, surveyed,
        created_at)
    SELECT $1, 'create', connection_id, site_id, type_id, source_id, source_key, destination_id,
        destination_key, link_id, 'removed', jsonb_build_object(
            'former', CASE WHEN managed THEN 'managed' ELSE 'unmanaged' END,
            'removed_link', link_id::text, 'removed_at', to_char(at AT TIME ZONE 'UTC',
                'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'removed_by', cause_kind || ':' || cause_id),
        false, $2
    FROM removed ON CONFLICT DO NOTHING
"""

# A link that is no longer managed may be in use by people, and stays.
_TO_REMOVE = """
    INSERT INTO plan_changes (plan_id, operation, connection_id, site_id, type_id, source_id,
        source_key, destination_id, destination_key, link_id, reason, evidence, result, created_at)
    SELECT $1, 'remove', m.connection_id, m.site_id, m.type_id, m.source_id, m.source_key,
        m.destination_id, m.destination_key, m.link_id, 'made', jsonb_build_object(
            'made_by', m.cause_kind || ':' || m.cause_id, 'revision', m.revision::text),
        CASE WHEN l.id IS NULL THEN 'skipped:not_managed'
             WHEN coalesce(l.authorship, '') NOT IN ('ours', 'adopted')
             THEN 'skipped:authorship_unknown' END, $2
    FROM made m
    LEFT JOIN ledger l ON l.connection_id = m.connection_id AND l.state = 'managed'
        AND l.mirror_site_id = m.site_id
        AND ((l.origin = 'left' AND l.right_link_id = m.link_id)
          OR (l.origin = 'right' AND l.left_link_id = m.link_id))
    ON CONFLICT DO NOTHING
"""

_LAST = """
    SELECT DISTINCT ON (a.site, a.type_id, a.source_id, a.destination_id) a.*, s.id AS site_id
    FROM audit a JOIN sites s ON s.name = a.site
    WHERE {applied} AND a.operation = '{operation}' AND a.link_id IS NOT NULL AND {where}
    ORDER BY a.site, a.type_id, a.source_id, a.destination_id, a.id DESC
"""


async def put_removed(conn: Connection, plan_id: int, filters: Filters, now: datetime) -> int:
    """Add every removed link that matches as a change to survey; returns how many."""
    where, values = filters.where(3)
    removed = _LAST.format(applied=_APPLIED, operation="remove", where=where)
    return _count(
        await conn.execute(f"WITH removed AS ({removed}) {_TO_CREATE}", plan_id, now, *values)
    )


async def put_made(conn: Connection, plan_id: int, filters: Filters, now: datetime) -> int:
    """Add a removal of every link that we made and that matches."""
    where, values = filters.where(3)
    made = _LAST.format(applied=_APPLIED, operation="create", where=f"a.managed AND {where}")
    return _count(await conn.execute(f"WITH made AS ({made}) {_TO_REMOVE}", plan_id, now, *values))


# A link whose first event since the revision is its removal existed before; one whose first is
# its creation did not. Later events do not matter, nor under which revision they happened.
_NET = """
    WITH events AS (
        SELECT a.*, s.id AS site_id,
               first_value(a.operation) OVER (PARTITION BY a.site, a.type_id, a.source_id,
                   a.destination_id ORDER BY a.id) AS first
        FROM audit a JOIN sites s ON s.name = a.site
        WHERE {applied} AND a.operation IN ('create', 'remove') AND a.link_id IS NOT NULL
          AND a.connection_id = $3 AND a.revision >= $4),
    {name} AS (
        SELECT DISTINCT ON (site, type_id, source_id, destination_id) * FROM events
        WHERE operation = '{operation}' AND first = '{operation}'
          AND (managed OR operation = 'remove')
        ORDER BY site, type_id, source_id, destination_id, id DESC)
"""


async def put_net(
    conn: Connection, plan_id: int, connection_id: int, revision: int, now: datetime
) -> int:
    """Add the changes that return a connection's links to their state before a revision."""
    put = 0
    for name, operation, insert in (
        ("removed", "remove", _TO_CREATE),
        ("made", "create", _TO_REMOVE),
    ):
        net = _NET.format(applied=_APPLIED, name=name, operation=operation)
        put += _count(await conn.execute(net + insert, plan_id, now, connection_id, revision))
    return put


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])
