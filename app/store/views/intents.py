"""Writes under way, or with an unknown outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.links import IssueRef, LinkId
from app.core.operations import Write, as_write
from app.store.columns import from_row, issue_ref, link_id
from app.store.pool import Connection, Row
from app.store.queue.work import Cause


@dataclass(frozen=True, slots=True)
class IntentShown:
    """A write that was announced. `confirm_after`: its outcome is not looked for earlier.
    `unconfirmed_since` is set while it is not known whether it took effect. `type` is a name, or an
    id that the site no longer names."""

    id: int
    connection: str
    site: str
    operation: Write
    type: str
    source: IssueRef
    destination: IssueRef
    link_id: LinkId | None
    cause: Cause
    plan_id: int | None
    revision: int
    created_at: datetime
    confirm_after: datetime
    confirm_tries: int
    unconfirmed_since: datetime | None


async def page(
    conn: Connection,
    *,
    within: Sequence[int] | None,
    connection: str | None,
    unconfirmed: bool,
    after: int,
    limit: int,
) -> list[IntentShown]:
    """Open intents, oldest first; *unconfirmed*: only those with an unknown outcome."""
    rows = await conn.fetch(
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
    return [_shown(row) for row in rows]


def _shown(row: Row) -> IntentShown:
    return from_row(
        IntentShown,
        row,
        operation=as_write(row["operation"]),
        source=issue_ref(row, "source"),
        destination=issue_ref(row, "destination"),
        link_id=link_id(row["link_id"]),
        cause=Cause(row["cause_kind"], row["cause_id"]),
    )
