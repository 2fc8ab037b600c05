"""Events that say nothing new: our own writes come back as events without an actor.

They are judged when they are claimed, never at ingest: by then the outcome of the write that
caused them is in the ledger. An event is known where a row in step holds its link, or where
this connection removed that link (what another one removed our row does not tell yet); one about
a type that is not mapped, or without twins at both ends, concerns no link of this connection.
Only if all events of a pair are such is Jira not asked.
"""

from collections.abc import Iterable

from app.core.links import LinkId, Side
from app.store.config.active_connection import Running
from app.store.links import ledger, twins
from app.store.pool import Connection
from app.store.queue import inbox_events
from app.store.queue.inbox_events import LinkEvent
from app.store.queue.work import Claimed
from app.store.writes import written_links
from app.sync.runtime.context import Context


async def known(ctx: Context, running: Running, claimed: Iterable[Claimed]) -> set[int]:
    """The twins among *claimed* that need no look."""
    asked = [it for it in claimed if not it.look]
    ids = {cause for it in asked for cause in it.causes}
    if not ids:
        return {it.twin_id for it in asked}
    async with ctx.database.connection() as conn:
        events = {event.id: event for event in await inbox_events.link_events(conn, ids)}
        fresh = await _news(conn, running, list(events.values()))
    return {
        it.twin_id
        for it in asked
        if all(cause in events and cause not in fresh for cause in it.causes)
    }


async def _news(conn: Connection, running: Running, events: list[LinkEvent]) -> set[int]:
    """The inbox ids of events that the store does not account for."""
    links = {event.link for event in events}
    held = await ledger.known_links(conn, running.id, links)
    removed: dict[int, set[LinkId]] = {
        running.site(side): await written_links.removed_links(
            conn, running.site(side), links, by=running.id
        )
        for side in Side
    }
    relevant = await _relevant(conn, running, events)
    return {
        event.id
        for event in events
        if event.id in relevant
        and not _accounted(event, (running.side_of(event.site), event.link) in held, removed)
    }


def _accounted(event: LinkEvent, is_held: bool, removed: dict[int, set[LinkId]]) -> bool:
    """A link that was removed by us is accounted for whichever of its events comes late."""
    if event.kind == "link_created" and is_held:
        return True
    return not is_held and event.link in removed.get(event.site, set())


async def _relevant(conn: Connection, running: Running, events: list[LinkEvent]) -> set[int]:
    relevant = set()
    for side in Side:
        here = [
            event
            for event in events
            if running.side_of(event.site) is side
            and running.config.pair_of(side, event.type_id) is not None
        ]
        ends = {end for event in here for end in (event.ends.source, event.ends.destination)}
        paired = await twins.by_issues(conn, running.id, side, ends) if ends else {}
        relevant |= {
            event.id
            for event in here
            if event.ends.source in paired and event.ends.destination in paired
        }
    return relevant
