"""Publishing: a person chooses what the status page shows of an incident. Nothing is by default."""

from datetime import datetime

import structlog

from app.core.errors import PermanentError
from app.core.incidents import Impact, traits_of
from app.core.status_page.status import Component, component_of
from app.store.alerts import incidents, publications
from app.store.alerts.publications import Chosen
from app.store.pool import Database

_LOG = structlog.get_logger(__name__)


async def publish(
    database: Database,
    incident_id: int,
    *,
    impact: Impact,
    text: str,
    title: str | None,
    component: Component | None,
    by: str,
    now: datetime,
) -> None:
    """Show the incident with these words. What is left out stays as it was published; at first,
    the title is that of its kind, which names nothing of this installation.

    Raises `PermanentError`: `incident_unknown`.
    """
    async with database.transaction() as conn:
        it = await incidents.lock(conn, incident_id)
        if it is None:
            raise PermanentError("incident_unknown")
        before = await publications.of_incident(conn, incident_id)
        chosen = Chosen(
            component=component or (before.component if before else component_of(it.kind)),
            impact=impact,
            title=title or (before.title if before else traits_of(it.kind).title),
            text=text,
        )
        await publications.put(conn, incident_id, it.state, chosen, by=by, now=now)
    _LOG.info("incident_published", incident=incident_id, by=by)


async def withdraw(database: Database, incident_id: int, *, by: str) -> None:
    """Show nothing of the incident any more. Raises `PermanentError`: `incident_unknown`."""
    async with database.transaction() as conn:
        if await incidents.lock(conn, incident_id) is None:
            raise PermanentError("incident_unknown")
        await publications.withdraw(conn, incident_id)
    _LOG.info("incident_withdrawn", incident=incident_id, by=by)
