"""Incidents and their timelines.

A transaction locks its incident last, after every site and connection, and several incidents in
the order of their kinds: an incident may be opened within any transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.incidents import Detail, Impact, IncidentKind, State
from app.store.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class Place:
    """What is affected: a site, a connection, or with neither everything."""

    connection_id: int | None = None
    site_id: int | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """`connection` and `site` are names. `kind` is an `IncidentKind`, or one of another version."""

    id: int
    kind: str
    place: Place
    connection: str | None
    site: str | None
    state: State
    impact: Impact
    facts: dict[str, Any]
    opened_at: datetime
    last_seen_at: datetime
    quiet_since: datetime | None
    resolved_at: datetime | None
    resolved_by: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the timeline."""

    at: datetime
    author: str
    state: State
    impact: Impact
    text: str
    detail: Detail


@dataclass(frozen=True, slots=True)
class Written:
    """An entry of the timeline with its id."""

    id: int
    entry: Entry


SELECT = """
    SELECT i.*, c.name AS connection FROM incidents i
    LEFT JOIN connections c ON c.id = i.connection_id
"""


async def insert(
    conn: Connection,
    kind: IncidentKind,
    place: Place,
    *,
    state: State,
    impact: Impact,
    facts: Detail,
    now: datetime,
) -> int | None:
    """The new id; None if one is open for this kind and place. Waits for a concurrent opening."""
    made: int | None = await conn.fetchval(
        """
        INSERT INTO incidents (kind, connection_id, site_id, site, state, impact, facts,
            opened_at, last_seen_at)
        VALUES ($1, $2, $3, (SELECT name FROM sites WHERE id = $3), $4, $5, $6, $7, $7)
        ON CONFLICT (kind, coalesce(connection_id, 0), coalesce(site_id, 0))
            WHERE state <> 'resolved' DO NOTHING
        RETURNING id
        """,
        kind,
        place.connection_id,
        place.site_id,
        state.value,
        impact.value,
        dict(facts),
        now,
    )
    return made


async def lock_open(conn: Connection, kind: IncidentKind, place: Place) -> Incident | None:
    """The open incident of this kind and place, locked until this transaction ends."""
    row = await conn.fetchrow(
        f"""{SELECT} WHERE i.kind = $1 AND i.connection_id IS NOT DISTINCT FROM $2
            AND i.site_id IS NOT DISTINCT FROM $3 AND i.state <> 'resolved'
            FOR NO KEY UPDATE OF i""",
        kind,
        place.connection_id,
        place.site_id,
    )
    return incident(row) if row else None


async def lock(conn: Connection, incident_id: int) -> Incident | None:
    """The incident, locked until this transaction ends."""
    row = await conn.fetchrow(f"{SELECT} WHERE i.id = $1 FOR NO KEY UPDATE OF i", incident_id)
    return incident(row) if row else None


async def open_ones(conn: Connection) -> list[Incident]:
    """All that are not resolved, in the order of kinds in which they have to be locked."""
    rows = await conn.fetch(f"{SELECT} WHERE i.state <> 'resolved' ORDER BY i.kind, i.id")
    return [incident(row) for row in rows]


async def any_open(conn: Connection, kind: IncidentKind) -> bool:
    """Whether an incident of this kind is open for any place."""
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM incidents WHERE kind = $1 AND state <> 'resolved')", kind
    )
    return found


async def open_of_sites(conn: Connection, kind: IncidentKind, sites: Sequence[int]) -> bool:
    """Whether one of this kind is open for any of these sites."""
    found: bool = await conn.fetchval(
        """SELECT EXISTS (SELECT FROM incidents WHERE kind = $1 AND state <> 'resolved'
               AND site_id = ANY($2::bigint[]))""",
        kind,
        list(sites),
    )
    return found


async def open_or_resolved_since(
    conn: Connection, kind: IncidentKind, site: int, since: datetime
) -> bool:
    """Whether one of this kind is open for the site, or was until that moment or later."""
    found: bool = await conn.fetchval(
        """SELECT EXISTS (SELECT FROM incidents WHERE kind = $1 AND site_id = $2
               AND (state <> 'resolved' OR resolved_at >= $3))""",
        kind,
        site,
        since,
    )
    return found


async def concerns_others(conn: Connection, place: Place, within: Sequence[int]) -> bool:
    """Whether a connection that is not among *within* joins a site that is affected there. Of
    everything, all sites are."""
    found: bool = await conn.fetchval(
        """SELECT EXISTS (
               SELECT FROM connections o WHERE o.deleted_at IS NULL AND o.id <> ALL($3::bigint[])
                 AND CASE WHEN $1::bigint IS NOT NULL THEN EXISTS (
                         SELECT FROM connections c WHERE c.id = $1
                           AND (o.left_site_id IN (c.left_site_id, c.right_site_id)
                             OR o.right_site_id IN (c.left_site_id, c.right_site_id)))
                     ELSE $2::bigint IS NULL OR $2 IN (o.left_site_id, o.right_site_id) END)""",
        place.connection_id,
        place.site_id,
        list(within),
    )
    return found


async def resolved_since(
    conn: Connection, kind: IncidentKind, place: Place, since: datetime
) -> bool:
    """Whether one was resolved after *since*: that covers what began before it."""
    found: bool = await conn.fetchval(
        """SELECT EXISTS (SELECT FROM incidents
               WHERE kind = $1 AND connection_id IS NOT DISTINCT FROM $2
                 AND site_id IS NOT DISTINCT FROM $3 AND resolved_at >= $4)""",
        kind,
        place.connection_id,
        place.site_id,
        since,
    )
    return found


async def save(conn: Connection, it: Incident) -> None:
    """Store the incident as given; its kind, place and start never change."""
    await conn.execute(
        """UPDATE incidents SET state = $2, impact = $3, facts = $4, last_seen_at = $5,
               quiet_since = $6, resolved_at = $7, resolved_by = $8 WHERE id = $1""",
        it.id,
        it.state.value,
        it.impact.value,
        it.facts,
        it.last_seen_at,
        it.quiet_since,
        it.resolved_at,
        it.resolved_by,
    )


async def last_entry(conn: Connection, incident_id: int) -> Written | None:
    """The newest entry of the timeline; None if there is none."""
    row = await conn.fetchrow(
        "SELECT * FROM incident_updates WHERE incident_id = $1 ORDER BY id DESC LIMIT 1",
        incident_id,
    )
    if row is None:
        return None
    state, impact = State(row["state"]), Impact(row["impact"])
    entry = Entry(row["at"], row["author"], state, impact, row["text"], row["detail"])
    return Written(row["id"], entry)


async def add_entry(conn: Connection, incident_id: int, entry: Entry) -> None:
    """Append an entry to the timeline."""
    await conn.execute(
        """INSERT INTO incident_updates (incident_id, at, last_at, author, state, impact, text,
               detail) VALUES ($1, $2, $2, $3, $4, $5, $6, $7)""",
        incident_id,
        entry.at,
        entry.author,
        entry.state.value,
        entry.impact.value,
        entry.text,
        dict(entry.detail),
    )


async def extend_entry(conn: Connection, entry_id: int, entry: Entry) -> None:
    """A repetition raises the count of its entry and updates the text."""
    await conn.execute(
        """UPDATE incident_updates SET times = times + 1, last_at = $2, text = $3, detail = $4
           WHERE id = $1""",
        entry_id,
        entry.at,
        entry.text,
        dict(entry.detail),
    )


def incident(row: Row) -> Incident:
    return Incident(
        id=row["id"],
        kind=row["kind"],
        place=Place(row["connection_id"], row["site_id"]),
        connection=row["connection"],
        site=row["site"],
        state=State(row["state"]),
        impact=Impact(row["impact"]),
        facts=row["facts"],
        opened_at=row["opened_at"],
        last_seen_at=row["last_seen_at"],
        quiet_since=row["quiet_since"],
        resolved_at=row["resolved_at"],
        resolved_by=row["resolved_by"],
    )
