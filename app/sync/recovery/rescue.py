"""Rescue: links that another tool or person removed, from Jira's own changelogs.

Reads the issues of the site's connected projects that changed since the window began, and the
whole changelogs of those that lost a link. Nothing of it is ours, so what comes back is
unmanaged, unless a ledger row says that it was our mirror.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from app.core.accounts import keyed, unnamed
from app.core.chain import instant
from app.core.errors import PermanentError, TransientError
from app.core.evidence import IssueView, LinkChange
from app.core.links import AccountId, IssueId, IssueKey, ProjectKey
from app.core.plan import PlanKind
from app.core.rescue import Culprit, Found, named_keys, removed_links
from app.jira.client import JiraClient
from app.store.config import account_salt, active_connection
from app.store.config.active_connection import Running
from app.store.pool import Database
from app.store.recovery import rescues, restores
from app.store.recovery.restores import NewRestore, Restore
from app.sync.runtime.context import Context
from app.sync.sites.link_types import refreshed_types

_LOG = structlog.get_logger(__name__)

# Jira's search and the changelog are seconds apart; ours and Jira's clock perhaps more.
OVERLAP = timedelta(minutes=10)


async def request(
    database: Database,
    site: int,
    culprit: Culprit,
    *,
    asked: Mapping[str, Any],
    requested_by: str,
    now: datetime,
) -> tuple[int, int]:
    """Plan to put back what an account removed on a site; the ids of the rescue and its plan.

    Raises `PermanentError`: `nothing_selected` where no connection reads this site,
    `own_account`: what this service removed is in its audit, so restore it from there.
    """
    async with database.transaction() as conn:
        if await rescues.is_own_account(conn, site, culprit.account, culprit.since, culprit.until):
            raise PermanentError("own_account")
        found = await rescues.connections_of(conn, site)
        if not found:
            raise PermanentError("nothing_selected")
        plan_id = await restores.begin_plan(
            conn, PlanKind.RESCUE, found[0], reason="rescue", now=now
        )
        told = {
            **asked,
            "account": keyed(culprit.account, await account_salt.salt(conn)),
            "since": instant(culprit.since),
            "until": instant(culprit.until),
            "connection_ids": [str(it) for it in found],
        }
        new = NewRestore(PlanKind.RESCUE, told, "rescue", requested_by, site)
        return await restores.insert(conn, plan_id, new, now=now), plan_id


async def scan(ctx: Context, it: Restore, *, lease: float) -> None:
    """Find the links and put them into the plan. A scan that died starts again: it only reads."""
    assert it.site is not None
    client = await ctx.sites.client(it.site)
    await client.assure()
    culprit = _culprit(it)
    async with ctx.database.connection() as conn:
        salt = await account_salt.salt(conn)
    states = await _connections(ctx, it)
    scanner = _Scanner(ctx, it, client, culprit, salt, lease)
    for state in states:
        await scanner.read_projects(state.projects(state.side_of(it.site)).keys)
    await scanner.read_other_ends()
    types = await refreshed_types(ctx, it.site)
    found = removed_links(
        {issue: view.ref for issue, view in scanner.views.items()},
        scanner.changes,
        scanner.keys,
        types,
        culprit,
    )
    async with ctx.database.transaction() as conn:
        await rescues.put(conn, it, _placed(states, it.site, scanner, found), now=ctx.clock())
        unread = dict(found.unread)
        if scanner.cut:
            unread["changelog_incomplete"] = scanner.cut
        if scanner.unseen:
            unread["project_unseen"] = len(scanner.unseen)
        await restores.scanned(conn, it, unread)
    _LOG.info("rescue_scanned", restore=it.id, links=len(found.removed), issues=scanner.read)


def _culprit(it: Restore) -> Culprit:
    """With the account as it was stored, keyed: authors are keyed before they are compared."""
    return Culprit(
        AccountId(it.asked["account"]),
        datetime.fromisoformat(it.asked["since"]),
        datetime.fromisoformat(it.asked["until"]),
    )


async def _connections(ctx: Context, it: Restore) -> list[Running]:
    async with ctx.database.connection() as conn:
        found = [await active_connection.load(conn, int(one)) for one in it.asked["connection_ids"]]
    states = [state for state in found if state is not None]
    if not states:
        raise PermanentError("connection_deleted")
    return states


def _placed(
    states: Sequence[Running], site: int, scanner: "_Scanner", found: Found
) -> list[rescues.Lost]:
    """Each link under the first connection whose projects hold an end of it."""
    placed = []
    for link in found.removed:
        ends = [scanner.views[end.id] for end in (link.source, link.destination)]
        under = next(
            (
                state.id
                for state in states
                if any(state.projects(state.side_of(site)).hold(view) for view in ends)
            ),
            None,
        )
        if under is not None:
            placed.append(rescues.Lost(under, link))
    return placed


class _Scanner:
    """What was read so far: only issues that lost a link to the culprit, and their other ends."""

    def __init__(
        self,
        ctx: Context,
        it: Restore,
        client: JiraClient,
        culprit: Culprit,
        salt: bytes,
        lease: float,
    ) -> None:
        self._ctx = ctx
        self._it = it
        self._client = client
        self._culprit = culprit
        self._salt = salt
        self._lease = lease
        self.read = 0
        self.cut = 0
        self.views: dict[IssueId, IssueView] = {}
        self.changes: dict[IssueId, Sequence[LinkChange]] = {}
        self.keys: dict[IssueKey, IssueId] = {}
        self.unseen: set[ProjectKey] = set()

    async def read_projects(self, projects: Sequence[ProjectKey]) -> None:
        since = self._culprit.since - OVERLAP
        pages = self._client.search_issues(projects, updated_since=since, unseen=self.unseen)
        async for page in pages:
            self.read += len(page)
            await self._read([view.ref.id for view in page], only_culprits=True)

    async def read_other_ends(self) -> None:
        """The issues that the entries name, and their changelogs: both ends must agree. Every
        key of these changelogs is resolved, for what was said later about the same link."""
        named = {change.target for entries in self.changes.values() for change in entries}
        await self._resolve(named)
        losing = {
            self.keys[key]
            for entries in self.changes.values()
            for key in named_keys(entries, self._culprit)
            if key in self.keys
        }
        await self._read(sorted(losing - self.changes.keys()), only_culprits=False)
        await self._resolve(
            {change.target for entries in self.changes.values() for change in entries}
        )

    async def _resolve(self, keys: Iterable[IssueKey]) -> None:
        found = await self._client.resolve_keys(sorted(set(keys) - self.keys.keys()))
        self.keys.update({key: view.ref.id for key, view in found.items()})

    async def _read(self, ids: Sequence[IssueId], *, only_culprits: bool) -> None:
        await self._renew()
        fresh = [issue for issue in ids if issue not in self.changes]
        reading = await self._client.read_issues(fresh, changelog=True, bulk=True)
        for issue, view in reading.issues.items():
            changes = unnamed(await self._whole(view), self._salt)
            if only_culprits and not any(map(self._culprit.did, changes)):
                continue
            self.views[issue], self.changes[issue] = view, changes

    async def _whole(self, view: IssueView) -> Sequence[LinkChange]:
        """Where Jira shows less of it than a moment ago, what was seen counts, and it is said."""
        if view.changes_complete and view.changes is not None:
            return view.changes
        whole = await self._client.whole_changelog(view)
        if whole is not None and not whole.changes_complete:
            self.cut += 1
        return () if whole is None else whole.changes or ()

    async def _renew(self) -> None:
        until = self._ctx.clock() + timedelta(seconds=self._lease)
        async with self._ctx.database.transaction() as conn:
            if not await restores.renew(conn, self._it, until):
                raise TransientError("lease_lost")
