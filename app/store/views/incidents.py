"""Incidents, for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.core.incidents import Impact, IncidentKind, State
from app.store.alerts.incidents import SELECT, Incident, incident
from app.store.columns import from_row
from app.store.guard import facts
from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class EntryShown:
    """An entry of a timeline: `times` it happened, from `at` until `last_at`. `detail` may name
    issues."""

    at: datetime
    last_at: datetime
    times: int
    author: str
    state: State
    impact: Impact
    text: str
    detail: dict[str, Any]


# What an incident affects may have begun before it was noticed: by the longest window at most.
_BEFORE = timedelta(hours=24)

# $1: the connections that the caller may see, or null for all. What concerns everything concerns
# each of them, too.
_VISIBLE = """
    ($1::bigint[] IS NULL OR c.id = ANY($1)
     OR (i.connection_id IS NULL AND i.site_id IS NULL)
     OR EXISTS (SELECT FROM connections v WHERE v.id = ANY($1) AND v.deleted_at IS NULL
                AND i.site_id IN (v.left_site_id, v.right_site_id)))
"""


async def by_id(
    conn: Connection, incident_id: int, within: Sequence[int] | None
) -> Incident | None:
    """One incident; with *within*, only if it concerns one of these connections."""
    row = await conn.fetchrow(f"{SELECT} WHERE {_VISIBLE} AND i.id = $2", within, incident_id)
    return incident(row) if row else None


async def page(
    conn: Connection,
    *,
    within: Sequence[int] | None,
    connection: str | None,
    states: Sequence[str] | None,
    before: int,
    limit: int,
) -> list[Incident]:
    """Incidents, newest first. With a *connection*, also those of its sites and of everything."""
    rows = await conn.fetch(
        f"""{SELECT} WHERE {_VISIBLE} AND i.id < $2
            AND ($3::text[] IS NULL OR i.state = ANY($3))
            AND ($4::text IS NULL OR c.name = $4
                 OR (i.connection_id IS NULL AND EXISTS (
                     SELECT FROM connections v WHERE v.name = $4 AND v.deleted_at IS NULL
                       AND (i.site_id IS NULL OR i.site_id IN (v.left_site_id, v.right_site_id)))))
            ORDER BY i.id DESC LIMIT $5""",
        within,
        before,
        states,
        connection,
        limit,
    )
    return [incident(row) for row in rows]


async def timeline(conn: Connection, incident_id: int) -> list[EntryShown]:
    """Oldest first."""
    rows = await conn.fetch(
        "SELECT * FROM incident_updates WHERE incident_id = $1 ORDER BY id", incident_id
    )
    return [
        from_row(EntryShown, row, state=State(row["state"]), impact=Impact(row["impact"]))
        for row in rows
    ]


async def affected(conn: Connection, it: Incident, within: Sequence[int] | None) -> list[str]:
    """Names of the affected connections that the caller may see."""
    rows = await conn.fetch(
        """SELECT name FROM connections WHERE ($1::bigint[] IS NULL OR id = ANY($1))
             AND CASE WHEN $2::bigint IS NOT NULL THEN id = $2
                      ELSE deleted_at IS NULL
                       AND ($3::bigint IS NULL OR $3 IN (left_site_id, right_site_id)) END
           ORDER BY name""",
        within,
        it.place.connection_id,
        it.place.site_id,
    )
    return [row["name"] for row in rows]


async def issues(conn: Connection, it: Incident) -> list[str]:
    """Keys of the affected issues, as far as the audit and plans name them."""
    connection = it.place.connection_id
    if connection is None:
        return []
    if it.kind in {IncidentKind.GUARD_TRIPPED, IncidentKind.MIRRORS_VANISHED}:
        return await facts.issues(conn, connection, it.opened_at - _BEFORE)
    if it.kind == IncidentKind.WRITE_UNCONFIRMED:
        rows = await conn.fetch(
            """SELECT DISTINCT unnest(ARRAY[source_key, destination_key]) AS key FROM intents
               WHERE connection_id = $1 AND state = 'open' ORDER BY 1 LIMIT 1000""",
            connection,
        )
        return [row["key"] for row in rows]
    return []
