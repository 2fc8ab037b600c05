"""What trying out a revision found: changes that it would make more, or less, than the active
one. The walk itself is a dry resync that names both revisions."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.links import IssueRef, LinkId
from app.core.operations import Operation
from app.store.columns import from_row, issue_ref, link_id
from app.store.pool import Connection, Row
from app.store.queue.resyncs import ResyncStatus
from app.store.writes.plans import Planned


@dataclass(frozen=True, slots=True)
class Trial:
    """Figures of a trial. `more` and `less` count changes by operation."""

    resync_id: int
    status: ResyncStatus
    detail: str
    against: int
    twins_total: int
    twins_done: int
    more: dict[str, int]
    less: dict[str, int]


@dataclass(frozen=True, slots=True)
class TrialChange:
    """A change that the revision would make `more` than the active one, or `less`. `type` is a
    name, or an id that the site no longer names. `position` orders the changes of a trial."""

    effect: str
    operation: Operation
    site: str
    type: str
    source: IssueRef
    destination: IssueRef
    link_id: LinkId | None
    reason: str
    position: str


async def put(
    conn: Connection, connection_id: int, revision: int, effect: str, changes: Sequence[Planned]
) -> None:
    """Add the result of a page of twins. A link between two pages is seen twice but stored once."""
    await conn.executemany(
        """INSERT INTO revision_changes (connection_id, revision, effect, operation, site_id,
               type_id, source_id, source_key, destination_id, destination_key, link_id, reason)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING""",
        [
            (
                connection_id,
                revision,
                effect,
                it.operation,
                it.site,
                int(it.type_id),
                int(it.source.id),
                it.source.key,
                int(it.destination.id),
                it.destination.key,
                int(it.link_id) if it.link_id else None,
                it.reason,
            )
            for it in changes
        ],
    )


async def of(conn: Connection, connection_id: int, revision: int) -> Trial | None:
    """The figures of a revision; None if it was never in shadow."""
    row = await conn.fetchrow(
        "SELECT * FROM resyncs WHERE connection_id = $1 AND revision = $2", connection_id, revision
    )
    if row is None:
        return None
    counted = await conn.fetch(
        """SELECT effect, operation, count(*) AS changes FROM revision_changes
           WHERE connection_id = $1 AND revision = $2 GROUP BY effect, operation""",
        connection_id,
        revision,
    )
    figures = {(it["effect"], it["operation"]): it["changes"] for it in counted}
    more, less = (
        {operation: figures.get((effect, operation), 0) for operation in ("create", "remove")}
        for effect in ("more", "less")
    )
    return Trial(
        row["id"],
        ResyncStatus(row["status"]),
        row["detail"],
        row["against"],
        row["issues_total"],
        row["issues_done"],
        more,
        less,
    )


async def changes(
    conn: Connection, connection_id: int, revision: int, *, after: str, limit: int
) -> list[TrialChange]:
    """Changes in the order of their keys; *after* is the `position` of the last one seen."""
    effect, operation, *ids = (after.split(":") + [""] * 6)[:6]
    rows = await conn.fetch(
        """
        SELECT x.*, s.name AS site, coalesce(t.name, x.type_id::text) AS type,
               concat_ws(':', x.effect, x.operation, x.site_id, x.type_id, x.source_id,
                         x.destination_id) AS position
        FROM revision_changes x JOIN sites s ON s.id = x.site_id
        LEFT JOIN link_types t ON t.site_id = x.site_id AND t.type_id = x.type_id
        WHERE x.connection_id = $1 AND x.revision = $2
          AND (x.effect, x.operation, x.site_id, x.type_id, x.source_id, x.destination_id)
              > ($3, $4, $5, $6, $7, $8)
        ORDER BY x.effect, x.operation, x.site_id, x.type_id, x.source_id, x.destination_id
        LIMIT $9
        """,
        connection_id,
        revision,
        effect,
        operation,
        *(int(text) if text.isdecimal() else 0 for text in ids),
        limit,
    )
    return [_change(row) for row in rows]


def _change(row: Row) -> TrialChange:
    return from_row(
        TrialChange,
        row,
        operation=Operation(row["operation"]),
        source=issue_ref(row, "source"),
        destination=issue_ref(row, "destination"),
        link_id=link_id(row["link_id"]),
    )
