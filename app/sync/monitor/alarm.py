"""What follows from a removal that is not accounted for. The caller holds the site's lock."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from app.core.incidents import Impact, IncidentKind
from app.core.monitor import Judged
from app.store.config import active_connection, connections
from app.store.pool import Connection
from app.sync.incidents import timeline

_LOG = structlog.get_logger(__name__)

BY = "monitor"
# Keys in an incident's facts; the findings hold all.
NAMED = 20


async def _pause(conn: Connection, site: int, now: datetime) -> None:
    """Every connection of the site, under the lock that every intent takes: once this commits,
    nothing older is written."""
    for connection_id in await connections.of_site(conn, site):
        if await active_connection.lock(conn, connection_id) is not None:
            await connections.set_paused(conn, connection_id, at=now, by=BY)


async def stop(conn: Connection, site: int, alarms: Sequence[Judged], now: datetime) -> None:
    """What the monitor exists to find: nothing more is written there until a person resumes."""
    await _pause(conn, site, now)
    detail = {"links": len(alarms), **_facts(alarms)}
    _LOG.error("unmanaged_removed", site=site, links=len(alarms), verdict=detail["verdicts"])
    await timeline.open_or_note(
        conn,
        IncidentKind.UNMANAGED_REMOVED,
        site_id=site,
        now=now,
        detail=detail,
        impact=Impact.CRITICAL,
    )


async def ask(conn: Connection, site: int, unclear: Sequence[Judged], now: datetime) -> None:
    """Written down, but whose link it was is unclear: a person has to look."""
    _LOG.warning("removal_unclear", site=site, links=len(unclear))
    await timeline.open_or_note(
        conn, IncidentKind.REMOVAL_UNCLEAR, site_id=site, now=now,
        detail={"links": len(unclear), **_facts(unclear)}, impact=Impact.MAJOR,
    )  # fmt: skip


def _facts(found: Sequence[Judged]) -> dict[str, str | int]:
    times = sorted(it.change.at for it in found)
    keys = sorted({str(it.change.target) for it in found})
    return {
        "verdicts": ", ".join(sorted({it.verdict.value for it in found})),
        "first_removal": times[0].isoformat(),
        "last_removal": times[-1].isoformat(),
        "issue_keys": ", ".join(keys[:NAMED]),
    }
