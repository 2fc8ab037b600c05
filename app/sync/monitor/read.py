"""Reading changelogs for the monitor, as far as its judgement needs: bulk first, whole where a
bulk answer is cut off, and every key resolved before anything is called an alarm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.core.authorship import NO_DATE
from app.core.errors import TransientError
from app.core.evidence import IssueView, LinkChange
from app.core.links import IssueId, IssueKey, LinkType
from app.core.monitor import SLACK, Judged, Verdict
from app.core.monitor import judge as judged
from app.core.monitor_history import History
from app.core.own_accounts import OwnAccounts
from app.jira.client import JiraClient
from app.store.monitor import audited_removals
from app.sync.runtime.context import Context
from app.sync.sites.link_types import refreshed_types, site_types

# Read again by the next look: a changelog may show an entry late. Findings are kept once.
AGAIN = timedelta(minutes=5)
# Jira's clock may be off; a difference below HTTP's whole seconds is none.
EXACT = timedelta(seconds=2)
# How far the audit is read beyond the removals that are judged.
MARGIN = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Seen:
    """Histories by our clock, and why the other issues have none. `shift` is what was added
    to Jira's times; `views` are what the histories were made from."""

    histories: Mapping[IssueId, History]
    unread: Mapping[IssueId, str]
    shift: timedelta
    views: Mapping[IssueId, IssueView]


async def read(ctx: Context, client: JiraClient, since: Mapping[IssueId, datetime]) -> Seen:
    """The changelogs of these issues, at least from each one's *since* on."""
    reading = await client.read_issues(sorted(since, key=int), changelog=True, bulk=True)
    shift = _shift(ctx.clock(), reading.at)
    unread = {IssueId(issue): why for issue, why in reading.unread.items()}
    known = {view.ref.key: issue for issue, view in reading.issues.items()}
    views = dict(reading.issues)
    for issue, view in reading.issues.items():
        changes = _moved(view.changes or (), shift)
        if not view.changes_complete and not (changes and changes[0].at < since[issue]):
            read_whole = await client.whole_changelog(view)
            if read_whole is None:
                unread[issue] = "not_returned"
                continue
            views[issue] = read_whole
    histories = {
        issue: History(issue, _moved(it.changes or (), shift), it.changes_complete, known)
        for issue, it in views.items()
        if issue not in unread
    }
    return Seen(histories, unread, shift, views)


async def judge(
    ctx: Context, client: JiraClient, seen: Seen, since: Mapping[IssueId, datetime]
) -> dict[IssueId, list[Judged]]:
    """The removals of our account, by issue. Jira is asked for more only where there are any."""
    ours = client.site.own
    touched = {
        issue: history
        for issue, history in seen.histories.items()
        if any(_concerns(it, ours, since[issue]) for it in history.changes)
    }
    if not touched:
        return {}
    types = await site_types(ctx, client.site.id)
    gone = {
        it.target
        for issue, history in touched.items()
        for it in history.changes
        if _concerns(it, ours, since[issue])
    }
    touched = await _resolved(client, touched, gone)
    found = await _by_audit(ctx, client, touched, types, since)
    doubtful = {
        issue: touched[issue]
        for issue, those in found.items()
        if any(it.verdict is not Verdict.ACCOUNTED for it in those)
    }
    if doubtful:
        doubtful = await _whole(client, doubtful, seen)
        # As the site spells them now: what is stored may be older than a type's new name.
        types = await refreshed_types(ctx, client.site.id)
        found |= await _by_audit(ctx, client, doubtful, types, since)
    return {issue: [_by_jira(it, seen.shift) for it in those] for issue, those in found.items()}


def _concerns(it: LinkChange, ours: OwnAccounts, since: datetime) -> bool:
    return not it.added and it.at >= since and ours.wrote(it.author, it.at)


async def _by_audit(
    ctx: Context,
    client: JiraClient,
    histories: Mapping[IssueId, History],
    types: Sequence[LinkType],
    since: Mapping[IssueId, datetime],
) -> dict[IssueId, list[Judged]]:
    """The audit is read after Jira: what was removed is written down before it is."""
    ours = client.site.own
    earliest = min(since[issue] for issue in histories) - SLACK - MARGIN
    async with ctx.database.connection() as conn:
        written = await audited_removals.removals(conn, client.site.name, histories, earliest)
    return {
        issue: judged(history, written, types, ours, since[issue])
        for issue, history in histories.items()
    }


async def _whole(
    client: JiraClient, histories: Mapping[IssueId, History], seen: Seen
) -> dict[IssueId, History]:
    """With everything that the changelog holds, under the ids of all issues that it names. Where
    Jira shows less of it than before it is not whole, and what was seen stays."""
    full: dict[IssueId, History] = {}
    for issue, history in histories.items():
        if history.whole:
            full[issue] = history
            continue
        view = await client.whole_changelog(seen.views[issue])
        if view is None:
            raise TransientError("changelog_unread")
        changes = _moved(view.changes or (), seen.shift)
        full[issue] = replace(history, changes=changes, whole=view.changes_complete)
    named = {it.target for history in full.values() for it in history.changes}
    return await _resolved(client, full, named)


async def _resolved(
    client: JiraClient, histories: Mapping[IssueId, History], keys: set[IssueKey]
) -> dict[IssueId, History]:
    known = dict(next(iter(histories.values())).ids)
    missing = sorted(keys - known.keys())
    if missing:
        views = await client.resolve_keys(missing)
        known |= {key: view.ref.id for key, view in views.items()}
    return {issue: replace(history, ids=known) for issue, history in histories.items()}


def _by_jira(it: Judged, shift: timedelta) -> Judged:
    """Under the time that Jira gives it: ours depends on how long an answer took."""
    return replace(it, change=replace(it.change, at=it.change.at - shift))


def _moved(changes: Sequence[LinkChange], shift: timedelta) -> tuple[LinkChange, ...]:
    return tuple(replace(it, at=it.at + shift) for it in changes) if shift else tuple(changes)


def _shift(ours: datetime, jira: datetime) -> timedelta:
    """From Jira's clock to ours. Its `Date` has no fractions; the answer took some time."""
    if jira == NO_DATE:
        return timedelta(0)
    difference = ours - jira
    return difference if abs(difference) > EXACT else timedelta(0)
