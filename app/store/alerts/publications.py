"""What is public of incidents: chosen by a person, in that person's words."""

from dataclasses import dataclass
from datetime import datetime

from app.core.incidents import Impact, State
from app.core.status_page.status import DAYS, Component, Published, Update
from app.store.pool import Connection, Row

MOST = 500
"""Incidents that the page and its feeds show at most."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """`title` and `text` are written for the public."""

    component: Component
    impact: Impact
    title: str
    text: str


async def put(
    conn: Connection, incident_id: int, state: State, chosen: Chosen, *, by: str, now: datetime
) -> None:
    """Publish, or change what is public. A text that is already the latest is not repeated."""
    await conn.execute(
        """INSERT INTO publications (incident_id, component, impact, title, published_at,
               published_by) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (incident_id) DO UPDATE
               SET component = $2, impact = $3, title = $4, published_by = $6""",
        incident_id,
        chosen.component.value,
        chosen.impact.value,
        chosen.title,
        now,
        by,
    )
    await conn.execute(
        """INSERT INTO publication_updates (incident_id, at, state, text)
           SELECT $1, $2, $3, $4 WHERE (
               SELECT text FROM publication_updates WHERE incident_id = $1
               ORDER BY id DESC LIMIT 1) IS DISTINCT FROM $4""",
        incident_id,
        now,
        state.value,
        chosen.text,
    )


async def withdraw(conn: Connection, incident_id: int) -> None:
    """Nothing of the incident is public any more."""
    await conn.execute("DELETE FROM publications WHERE incident_id = $1", incident_id)


async def of_incident(conn: Connection, incident_id: int) -> Published | None:
    rows = await conn.fetch(f"{_SELECT} WHERE p.incident_id = $1 {_GROUPED}", incident_id)
    return _published(rows[0]) if rows else None


async def latest(conn: Connection, now: datetime) -> list[Published]:
    """Those that are open or were within the days that are shown, newest first."""
    rows = await conn.fetch(
        f"""{_SELECT} WHERE i.resolved_at IS NULL
                OR i.resolved_at >= $1::timestamptz - make_interval(days => $2)
            {_GROUPED} ORDER BY i.opened_at DESC, i.id DESC LIMIT {MOST}""",
        now,
        DAYS,
    )
    return [_published(row) for row in rows]


_SELECT = """
    SELECT p.*, i.state, i.opened_at, i.resolved_at,
        array_agg(u.id ORDER BY u.id) AS ids, array_agg(u.at ORDER BY u.id) AS times,
        array_agg(u.state ORDER BY u.id) AS states, array_agg(u.text ORDER BY u.id) AS texts
    FROM publications p JOIN incidents i ON i.id = p.incident_id
    JOIN publication_updates u ON u.incident_id = p.incident_id
"""
_GROUPED = "GROUP BY p.incident_id, i.id"


def _published(row: Row) -> Published:
    parts = zip(row["ids"], row["times"], row["states"], row["texts"], strict=True)
    return Published(
        id=row["incident_id"],
        component=Component(row["component"]),
        impact=Impact(row["impact"]),
        title=row["title"],
        state=State(row["state"]),
        started_at=row["opened_at"],
        resolved_at=row["resolved_at"],
        updates=tuple(Update(it, at, State(state), text) for it, at, state, text in parts),
    )
