"""What a crash, a time-out or a dropped connection left open is confirmed by reading Jira.

Never earlier than ``send_before`` + 30 s: by then its request has ended. Until an intent is
closed, nothing else touches its link. What cannot be read stays open, with its age.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import structlog

from app.core.errors import PermanentError, TransientError
from app.core.evidence import Reading
from app.core.links import IssueId, Link, LinkType
from app.core.removal import removed_by_another
from app.jira.client import JiraClient
from app.store import intents
from app.store.intents import Intent
from app.sync.context import Context
from app.sync.create import find_created, listed_links, read_ends, site_types
from app.sync.outcome import Outcome, settle
from app.sync.remove import shows

_LOG = structlog.get_logger(__name__)


async def run_once(ctx: Context) -> int:
    """Confirm what is due; answers how many intents were closed."""
    async with ctx.database.transaction() as conn:
        due = await intents.take_unconfirmed(conn, now=ctx.clock())
    closed = 0
    due.sort(key=lambda it: (it.connection_id, it.wanted.site))
    for (connection_id, site), group in groupby(
        due, key=lambda it: (it.connection_id, it.wanted.site)
    ):
        try:
            closed += await _confirm(ctx, connection_id, site, list(group))
        except Exception:
            _LOG.exception("confirm_broke", connection=connection_id, site=site)
    return closed


async def _confirm(ctx: Context, connection_id: int, site: int, those: list[Intent]) -> int:
    try:
        outcomes = await _read(ctx, site, those)
    except (TransientError, PermanentError) as error:
        _LOG.warning("confirm_put_off", code=error.code, intents=len(those))
        return 0
    await settle(ctx, connection_id, outcomes, confirmed=True)
    return len(outcomes)


async def _read(ctx: Context, site: int, those: Sequence[Intent]) -> list[Outcome]:
    client = await ctx.sites.client(site)
    await client.assure()
    types = await site_types(ctx, site)
    reading = await read_ends(client, those)
    moved = await _moved(client, those, reading)
    outcomes = []
    for intent in those:
        try:
            if intent.wanted.operation == "create":
                outcome = _created(intent, reading, types, client, moved)
            else:
                outcome = await _removed(intent, reading, types, client, moved)
        except (TransientError, PermanentError) as error:
            # One link that cannot be read does not keep the others waiting.
            _LOG.warning("confirm_unread", code=error.code, intent=intent.id)
            continue
        if outcome is not None:
            outcomes.append(outcome)
    return outcomes


def _created(
    intent: Intent,
    reading: Reading,
    types: Sequence[LinkType],
    client: JiraClient,
    moved: set[IssueId],
) -> Outcome | None:
    found = find_created(intent, reading, types, client)
    if found is not None:
        return replace(found, code=f"confirmed_{found.code}")
    if _both_ends_read(intent, reading, moved):
        # An equal link the other way round is somebody else's: the next look records it.
        return Outcome(intent, "failed", "confirmed_not_made")
    return None


async def _removed(
    intent: Intent,
    reading: Reading,
    types: Sequence[LinkType],
    client: JiraClient,
    moved: set[IssueId],
) -> Outcome | None:
    """Gone counts as removed by us, hence restorable, unless the changelog names another."""
    wanted = intent.wanted
    assert wanted.link_id is not None
    kind = next((it for it in types if it.id == wanted.type_id), None)
    seen = await client.get_link(wanted.link_id)
    if kind is None:
        return None
    if seen is not None:
        code = "confirmed_still_there" if shows(intent, seen, kind) else "confirmed_changed"
        return Outcome(intent, "failed", code)
    if not _both_ends_read(intent, reading, moved) or wanted.link_id in listed_links(
        intent, reading, types
    ):
        return None
    link = Link(wanted.link_id, wanted.type_id, wanted.source, wanted.destination)
    if removed_by_another(reading.issues, link, types, client.site.account_id, wanted.read_at):
        return Outcome(intent, "noop", "confirmed_removed_by_another")
    return Outcome(intent, "applied", "confirmed_gone")


async def _moved(client: JiraClient, those: Sequence[Intent], reading: Reading) -> set[IssueId]:
    """The ends that came back under another key, and whose old key still leads to their id."""
    ends = {end for it in those for end in (it.wanted.source, it.wanted.destination)}
    strange = [
        end
        for end in sorted(ends)
        if (view := reading.issues.get(end.id)) is not None and view.ref.key != end.key
    ]
    if not strange:
        return set()
    found = await client.resolve_keys([end.key for end in strange])
    return {
        end.id
        for end in strange
        if (view := found.get(end.key)) is not None and view.ref.id == end.id
    }


def _both_ends_read(intent: Intent, reading: Reading, moved: set[IssueId]) -> bool:
    """A complete answer for both ends, under the ids and keys that the intent names."""
    for end in (intent.wanted.source, intent.wanted.destination):
        view = reading.issues.get(end.id)
        if view is None or view.links is None or view.archived:
            return False
        if view.ref.key != end.key and end.id not in moved:
            return False
    return True
