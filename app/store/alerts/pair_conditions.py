"""Conditions of single pairs and issues that a person has to know of, one for each connection."""

from datetime import datetime

from app.core.incidents import Impact, IncidentKind
from app.store.alerts.condition import Condition
from app.store.alerts.incidents import Place
from app.store.pool import Connection


async def parked(conn: Connection, _: datetime) -> list[Condition]:
    """Pairs that ended one process after the other, until a person retries or dismisses them."""
    rows = await conn.fetch(
        """SELECT w.connection_id, count(*) AS pairs, min(w.failed_at) AS since
           FROM work w JOIN connections c ON c.id = w.connection_id AND c.deleted_at IS NULL
           WHERE w.lost >= 2 AND w.failed_at IS NOT NULL
             AND w.dismissed_failure IS DISTINCT FROM w.failure
           GROUP BY w.connection_id ORDER BY w.connection_id"""
    )
    return [
        Condition(
            IncidentKind.PAIRS_PARKED,
            Place(connection_id=row["connection_id"]),
            row["since"],
            Impact.MAJOR,
            {"pairs": row["pairs"], "since": row["since"].isoformat(timespec="seconds")},
        )
        for row in rows
    ]
