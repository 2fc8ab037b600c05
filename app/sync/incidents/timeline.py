"""Incidents: opened where something happens, notified in the same transaction, and over
when a person says so or a day after their condition ended. `watch` looks for conditions.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from app.core.errors import PermanentError
from app.core.incident_words import Named, calls, message, sentences
from app.core.incidents import (
    SERVICE,
    Detail,
    Impact,
    IncidentKind,
    State,
    gathers,
    traits_of,
    wakes,
)
from app.store.alerts import incidents, notifications, publications
from app.store.alerts.incidents import Entry, Incident, Place
from app.store.pool import Connection, Database
from app.sync.runtime.refusals import Refused

_LOG = structlog.get_logger(__name__)


async def open_or_note(
    conn: Connection,
    kind: IncidentKind,
    *,
    connection_id: int | None = None,
    site_id: int | None = None,
    now: datetime,
    detail: Detail,
    impact: Impact,
) -> int:
    """The id of the one open incident of this kind and place, with this in its timeline.

    Takes part in any transaction; call it after the locks of sites and connections. An impact is
    only ever raised by this. What was watched for a quiet day is investigated again.
    """
    place = Place(connection_id, site_id)
    while True:
        it = await incidents.lock_open(conn, kind, place)
        if it is not None:
            await note(conn, it, detail, impact, now)
            return it.id
        made = await _open(conn, kind, place, detail, impact, now)
        if made is not None:
            return made
        # Another worker opened it in this very moment, and has committed by now.


async def note(
    conn: Connection, it: Incident, detail: Detail, impact: Impact, now: datetime
) -> None:
    """It happened again, or goes on with these facts. *it* is locked by this transaction."""
    worse = impact.rank > it.impact.rank
    returned = it.quiet_since is not None and it.state is State.MONITORING
    facts = {**it.facts, **detail}
    state = State.INVESTIGATING if returned else it.state
    if state is State.INVESTIGATING and "correlated" in facts:
        state = State.IDENTIFIED
    after = replace(
        it,
        state=state,
        impact=impact if worse else it.impact,
        facts=facts,
        last_seen_at=now,
        quiet_since=None,
    )
    await incidents.save(conn, after)
    await _write(conn, after, detail, now)
    if worse:
        await _tell(conn, after, "worse", sentences(it.kind, detail), now)


async def note_open(
    conn: Connection, kind: IncidentKind, connection_id: int, detail: Detail, now: datetime
) -> None:
    """Write into the timeline of the open incident of this kind, where there is one."""
    it = await incidents.lock_open(conn, kind, Place(connection_id))
    if it is not None:
        await note(conn, it, detail, it.impact, now)


async def quieten(conn: Connection, it: Incident, now: datetime) -> None:
    """Its condition is gone. *it* is locked by this transaction."""
    after = replace(it, state=State.MONITORING, quiet_since=now)
    await incidents.save(conn, after)
    text = "Its condition is gone. It is watched for a day."
    await incidents.add_entry(conn, it.id, _entry(after, SERVICE, text, {}, now))


async def resolve(conn: Connection, it: Incident, *, by: str, text: str, now: datetime) -> None:
    """*it* is locked by this transaction."""
    after = replace(it, state=State.RESOLVED, resolved_at=now, resolved_by=by)
    await incidents.save(conn, after)
    await incidents.add_entry(conn, it.id, _entry(after, by, text, {}, now))
    await _tell(conn, after, "resolved", "It is over.", now)
    _LOG.info("incident_resolved", incident=it.id, kind=it.kind, by=by)


async def update(
    database: Database,
    incident_id: int,
    *,
    state: State | None,
    impact: Impact | None,
    text: str,
    by: str,
    now: datetime,
    confined_to: Sequence[int] | None = None,
) -> None:
    """What a person says of it. Resolving one is also the acknowledgement where one is needed.

    The status page shows the state of what is published: a caller who is *confined_to* some
    connections changes it only where no others join the same sites.

    Raises `PermanentError`: `incident_unknown`; `incident_resolved` where it is over and
    more than a text is sent, for another may be open by now; `forbidden`.
    """
    async with database.transaction() as conn:
        it = await incidents.lock(conn, incident_id)
        if it is None:
            raise PermanentError("incident_unknown")
        if it.state is State.RESOLVED and (state not in {None, it.state} or impact is not None):
            raise PermanentError("incident_resolved")
        if state not in {None, it.state} and not await _may_move(conn, it, confined_to):
            raise Refused("forbidden", "it is on the status page, which other tenants read as well")
        after = replace(it, impact=impact or it.impact)
        if state is State.RESOLVED and it.state is not State.RESOLVED:
            await resolve(conn, after, by=by, text=text, now=now)
            return
        after = replace(after, state=state or it.state)
        if state is State.MONITORING and not traits_of(it.kind).lasting:
            after = replace(after, quiet_since=now)
        await incidents.save(conn, after)
        await incidents.add_entry(conn, it.id, _entry(after, by, text, {}, now))
        if after.impact.rank > it.impact.rank:
            await _tell(conn, after, "worse", "Its impact was raised.", now)


async def _may_move(conn: Connection, it: Incident, confined_to: Sequence[int] | None) -> bool:
    if confined_to is None or await publications.of_incident(conn, it.id) is None:
        return True
    return not await incidents.concerns_others(conn, it.place, confined_to)


async def _open(
    conn: Connection,
    kind: IncidentKind,
    place: Place,
    detail: Detail,
    impact: Impact,
    now: datetime,
) -> int | None:
    state = State.IDENTIFIED if "correlated" in detail else State.INVESTIGATING
    made = await incidents.insert(
        conn, kind, place, state=state, impact=impact, facts=detail, now=now
    )
    if made is None:
        return None
    it = await incidents.lock(conn, made)
    assert it is not None
    text = sentences(kind, detail)
    await incidents.add_entry(conn, made, _entry(it, SERVICE, text, detail, now))
    await _tell(conn, it, "opened", text, now)
    _LOG.warning("incident_opened", incident=made, kind=kind, impact=impact.value)
    return made


async def _write(conn: Connection, it: Incident, detail: Detail, now: datetime) -> None:
    """Into the last entry where that takes it in, else one of its own."""
    entry = _entry(it, SERVICE, sentences(it.kind, detail), detail, now)
    last = await incidents.last_entry(conn, it.id)
    if last is not None:
        known = last.entry
        same = (known.author, known.state, known.impact) == (SERVICE, it.state, it.impact)
        if same and gathers(known.at, known.detail, now, detail):
            await incidents.extend_entry(conn, last.id, entry)
            return
    await incidents.add_entry(conn, it.id, entry)


def _entry(it: Incident, author: str, text: str, detail: Detail, now: datetime) -> Entry:
    return Entry(now, author, it.state, it.impact, text, detail)


async def _tell(conn: Connection, it: Incident, event: str, text: str, now: datetime) -> None:
    named = Named(it.id, it.kind, it.connection or it.site or "", it.impact)
    following = (
        ()
        if event == "resolved"
        else calls(it.kind, it.facts, connection=it.connection, site=it.site)
    )
    said = message(named, event, text, following)
    paging = event != "resolved" and wakes(it.kind, it.impact)
    await notifications.put(
        conn, said.key, title=said.title, body=said.body, paging=paging, now=now
    )
