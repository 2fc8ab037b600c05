"""What a crash, a time-out or a dropped connection left open is confirmed by reading Jira.

Never earlier than `send_before` + 30 s: by then its request has ended. Until an intent is
closed, nothing else touches its link. What cannot be read stays open, with its age. An end issue
that was deleted has taken the link with it: proven by its delivery, and by its not coming back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from typing import assert_never

import structlog

from app.core.errors import PermanentError, TransientError
from app.core.evidence import Reading
from app.core.links import IssueId, IssueRef, Link, LinkId, LinkType
from app.core.operations import Operation, Status
from app.core.removed_by import made_and_removed, removed_by_another
from app.jira.client import JiraClient
from app.store.links import twins
from app.store.queue import inbox_events
from app.store.writes import intents
from app.store.writes.intents import Intent
from app.sync.runtime.context import Context
from app.sync.sites.link_types import site_types
from app.sync.writes.delete import shows
from app.sync.writes.outcome import Outcome, settle
from app.sync.writes.read_back import find_created, listed_links, read_ends

# Nodes of one Data Center differ in their clocks by about a second (docs/jira.md).
SKEW = timedelta(seconds=2)

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ends:
    """Issues that came back under another key, and those that are deleted for good."""

    moved: set[IssueId]
    deleted: set[IssueId]

    def gone(self, intent: Intent, reading: Reading) -> bool:
        """An end is deleted, and what is left of them was read."""
        both = (intent.wanted.source, intent.wanted.destination)
        left = [end for end in both if end.id not in self.deleted]
        return len(left) < len(both) and all(_is_read(it, reading, self.moved) for it in left)


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
        await settle(ctx, connection_id, outcomes, confirmed=True)  # all of it, or nothing
    except (TransientError, PermanentError) as error:
        _LOG.warning("confirm_put_off", code=error.code, intents=len(those))
        return 0
    return len(outcomes)


async def _read(ctx: Context, site: int, those: Sequence[Intent]) -> list[Outcome]:
    client = await ctx.sites.client(site)
    await client.assure()
    types = await site_types(ctx, site)
    reading = await read_ends(client, those)
    ends = Ends(await moved_ends(ctx, client, those, reading), await _deleted(ctx, client, reading))
    outcomes = []
    for intent in those:
        try:
            match intent.wanted.operation:
                case Operation.CREATE:
                    outcome = await _created(intent, reading, types, client, ends)
                case Operation.REMOVE:
                    outcome = await _removed(intent, reading, types, client, ends)
                case other:
                    assert_never(other)
        except (TransientError, PermanentError) as error:
            # One link that cannot be read does not keep the others waiting.
            _LOG.warning("confirm_unread", code=error.code, intent=intent.id)
            continue
        if outcome is not None:
            outcomes.append(outcome)
    return outcomes


async def _created(
    intent: Intent,
    reading: Reading,
    types: Sequence[LinkType],
    client: JiraClient,
    ends: Ends,
) -> Outcome | None:
    found = find_created(intent, reading, types, client)
    if found is not None:
        return replace(found, code=f"confirmed_{found.code}")
    if ends.gone(intent, reading):
        # Whatever was made went with its issue, and can never come back.
        return Outcome(intent, Status.NOOP, "confirmed_issue_deleted")
    if both_ends_read(intent, reading, ends.moved):
        if await was_taken_away(intent, reading, types, client):
            return Outcome(intent, Status.NOOP, "confirmed_taken_away", taken_away=True)
        # An equal link the other way round was made by another account: the next look records it.
        return Outcome(intent, Status.FAILED, "confirmed_not_made")
    return None


async def was_taken_away(
    intent: Intent, reading: Reading, types: Sequence[LinkType], client: JiraClient
) -> bool:
    """Whether it was made, and another account has removed it since: we did not know of it yet,
    and must not make it again against that account's will."""
    wanted = intent.wanted
    views = dict(reading.issues)
    for end in (wanted.source.id, wanted.destination.id):
        if not views[end].changes_complete:
            views[end] = await client.whole_changelog(views[end]) or views[end]
    link = Link(LinkId(""), wanted.type_id, wanted.source, wanted.destination)
    since = wanted.read_at - SKEW if wanted.read_at is not None else None
    return made_and_removed(views, link, types, client.site.own, since)


async def _removed(
    intent: Intent,
    reading: Reading,
    types: Sequence[LinkType],
    client: JiraClient,
    ends: Ends,
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
        return Outcome(intent, Status.FAILED, code)
    read = both_ends_read(intent, reading, ends.moved) or ends.gone(intent, reading)
    if not read or wanted.link_id in listed_links(intent, reading, types):
        return None
    link = Link(wanted.link_id, wanted.type_id, wanted.source, wanted.destination)
    if removed_by_another(reading.issues, link, types, client.site.own, wanted.read_at):
        return Outcome(intent, Status.NOOP, "confirmed_removed_by_another")
    return Outcome(intent, Status.APPLIED, "confirmed_gone")


async def moved_ends(
    ctx: Context, client: JiraClient, those: Sequence[Intent], reading: Reading
) -> set[IssueId]:
    """The ends that came back under another key and are certainly the same issues: by when they
    were made, or since their old key still leads to their id."""
    ends = {end for it in those for end in (it.wanted.source, it.wanted.destination)}
    strange = [
        end
        for end in sorted(ends)
        if (view := reading.issues.get(end.id)) is not None and view.ref.key != end.key
    ]
    if not strange:
        return set()
    async with ctx.database.connection() as conn:
        born = await twins.births(conn, client.site.id, [end.id for end in strange])
    same = {end.id for end in strange if reading.issues[end.id].created in born.get(end.id, ())}
    found = await client.resolve_keys([end.key for end in strange if end.id not in same])
    return same | {
        end.id
        for end in strange
        if (view := found.get(end.key)) is not None and view.ref.id == end.id
    }


def both_ends_read(intent: Intent, reading: Reading, moved: set[IssueId]) -> bool:
    """A complete answer for both ends, under the ids and keys that the intent names."""
    return all(
        _is_read(end, reading, moved) for end in (intent.wanted.source, intent.wanted.destination)
    )


def _is_read(end: IssueRef, reading: Reading, moved: set[IssueId]) -> bool:
    view = reading.issues.get(end.id)
    if view is None or view.links is None or view.archived:
        return False
    return view.ref.key == end.key or end.id in moved


async def _deleted(ctx: Context, client: JiraClient, reading: Reading) -> set[IssueId]:
    """The issues that Jira said were deleted and that it does not show to our account, which it
    knows: 404 alone never proves it."""
    missing = [IssueId(issue) for issue, why in reading.unread.items() if why == "not_returned"]
    if not missing or not client.assured():
        return set()
    async with ctx.database.connection() as conn:
        return set(await inbox_events.deleted_issues(conn, client.site.id, missing))
