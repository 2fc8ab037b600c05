"""Plans, for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.links import IssueRef, LinkId
from app.core.operations import Operation
from app.core.plan import PlanKind, PlanStatus
from app.store.columns import from_row, issue_ref, link_id
from app.store.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class PlanShown:
    """A plan with the numbers of its changes. `digest` is None until it is sealed. `approved_by`
    is the first of two owners."""

    id: int
    connection: str
    kind: PlanKind
    digest: str | None
    status: PlanStatus
    reason: str
    creates: int
    removes: int
    adopts: int
    releases: int
    revision: int
    created_at: datetime
    sealed_at: datetime | None
    expires_at: datetime | None
    approved_at: datetime | None
    approved_by: str | None
    decided_at: datetime | None
    decided_by: str | None
    note: str

    @property
    def changes(self) -> int:
        return self.creates + self.removes + self.adopts + self.releases


@dataclass(frozen=True, slots=True)
class ChangeShown:
    """One change of a plan. `type` is a name, or an id that the site no longer names. `result` is
    None until the change is closed. `position` orders the changes of a plan."""

    operation: Operation
    site: str
    type: str
    source: IssueRef
    destination: IssueRef
    link_id: LinkId | None
    reason: str
    evidence: Mapping[str, str]
    result: str | None
    position: str


_SELECT = """
    SELECT p.*, c.name AS connection,
        (SELECT count(*) FROM plan_changes x
          WHERE x.plan_id = p.id AND x.operation = 'create') AS creates,
        (SELECT count(*) FROM plan_changes x
          WHERE x.plan_id = p.id AND x.operation = 'remove') AS removes,
        (SELECT count(*) FROM plan_changes x
          WHERE x.plan_id = p.id AND x.operation = 'adopt') AS adopts,
        (SELECT count(*) FROM plan_changes x
          WHERE x.plan_id = p.id AND x.operation = 'release') AS releases
    FROM plans p JOIN connections c ON c.id = p.connection_id
"""


@dataclass(frozen=True, slots=True)
class OriginsShown:
    """Of the origins that a plan's changes are about: how many removals Jira's changelog names, by
    how many accounts, and when, by Jira's clock."""

    removals: int
    accounts: int
    first: datetime
    last: datetime


async def origins_removed(conn: Connection, plan_id: int) -> OriginsShown | None:
    """None where nothing is known of it."""
    row = await conn.fetchrow(
        """SELECT count(*) AS removals,
               count(DISTINCT evidence ->> 'origin_removed_by') AS accounts,
               min((evidence ->> 'origin_removed_at')::timestamptz) AS first,
               max((evidence ->> 'origin_removed_at')::timestamptz) AS last
           FROM plan_changes WHERE plan_id = $1 AND evidence ? 'origin_removed_at'""",
        plan_id,
    )
    return None if row is None or not row["removals"] else from_row(OriginsShown, row)


def visible(within: int) -> str:
    """A condition on `p` and `c`: a reader sees a plan only if they may see all connections of its
    changes, and of a rescue all that it reads, whatever it finds. *within* is the number of the
    parameter with these; its value is null for all."""
    return f"""(${within}::bigint[] IS NULL OR (c.id = ANY(${within}) AND NOT EXISTS (
        SELECT 1 FROM plan_changes v
        WHERE v.plan_id = p.id AND NOT (v.connection_id = ANY(${within})))
        AND NOT EXISTS (
        SELECT 1 FROM restores q, jsonb_array_elements_text(q.asked -> 'connection_ids') n (id)
        WHERE q.plan_id = p.id AND NOT (n.id::bigint = ANY(${within})))))"""  # noqa: S608 - texts of ours


async def by_id(conn: Connection, plan_id: int, within: Sequence[int] | None) -> PlanShown | None:
    """One plan; with *within*, only of these connections."""
    row = await conn.fetchrow(f"{_SELECT} WHERE p.id = $1 AND {visible(2)}", plan_id, within)
    return _shown(row) if row else None


async def page(
    conn: Connection,
    *,
    within: Sequence[int] | None,
    connection: str | None,
    status: str | None,
    before: int,
    limit: int,
) -> list[PlanShown]:
    """Newest first."""
    rows = await conn.fetch(
        f"""{_SELECT} WHERE p.id < $1 AND {visible(2)}
            AND ($3::text IS NULL OR c.name = $3) AND ($4::text IS NULL OR p.status = $4)
            ORDER BY p.id DESC LIMIT $5""",
        before,
        within,
        connection,
        status,
        limit,
    )
    return [_shown(row) for row in rows]


async def changes(
    conn: Connection,
    plan_id: int,
    *,
    issue: str | None = None,
    undone: bool = False,
    after: str,
    limit: int,
) -> list[ChangeShown]:
    """Changes in the order of their keys; *after* is the `position` of the last one seen. *issue*:
    only those of this key; *undone*: only what was decided and not made."""
    site, type_id, source, destination, operation = (after.split(":") + [""] * 5)[:5]
    rows = await conn.fetch(
        """
        SELECT x.*, s.name AS site, coalesce(t.name, x.type_id::text) AS type,
               concat_ws(':', x.site_id, x.type_id, x.source_id, x.destination_id, x.operation)
                   AS position
        FROM plan_changes x JOIN sites s ON s.id = x.site_id
        LEFT JOIN link_types t ON t.site_id = x.site_id AND t.type_id = x.type_id
        WHERE x.plan_id = $1
          AND (x.site_id, x.type_id, x.source_id, x.destination_id, x.operation)
              > ($2, $3, $4, $5, $6)
          AND ($8::text IS NULL OR x.source_key = $8 OR x.destination_key = $8)
          AND (NOT $9 OR (x.result IS NOT NULL AND x.result NOT LIKE 'applied:%'))
        ORDER BY x.site_id, x.type_id, x.source_id, x.destination_id, x.operation LIMIT $7
        """,
        plan_id,
        *(int(text) if text.isdecimal() else 0 for text in (site, type_id, source, destination)),
        operation,
        limit,
        issue,
        undone,
    )
    return [_change(row) for row in rows]


def _shown(row: Row) -> PlanShown:
    return from_row(PlanShown, row, kind=PlanKind(row["kind"]), status=PlanStatus(row["status"]))


def _change(row: Row) -> ChangeShown:
    return from_row(
        ChangeShown,
        row,
        operation=Operation(row["operation"]),
        source=issue_ref(row, "source"),
        destination=issue_ref(row, "destination"),
        link_id=link_id(row["link_id"]),
    )
