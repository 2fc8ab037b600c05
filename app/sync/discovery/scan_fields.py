"""Which twin fields want another look, by what a search shows.

A search index lags, and what a page leaves out is not gone: a page only ever raises
discoveries; what is done about them follows from a read of its own.
"""

from collections.abc import Awaitable, Callable, Sequence

from app.core.evidence import IssueView
from app.core.links import IssueId
from app.core.twin_claims import ClaimStatus
from app.core.twin_field import twin_key
from app.store.config.active_connection import Running
from app.store.links import claims, discoveries, twins
from app.store.pool import Connection
from app.store.queue import unseen_projects
from app.sync.runtime.context import Context


async def enlist(ctx: Context, state: Running, renew: Callable[[], Awaitable[None]]) -> int:
    """Walk all issues of the field's side in flat memory and raise those whose field and claim
    do not agree, or whose claim paired nothing so far; answers how many. *renew* is awaited
    once a page. Raises what the Jira client raises; what was raised before stays so."""
    side, field = state.config.twins.side, state.config.twins.field
    if side is None:
        return 0
    async with ctx.database.transaction() as conn:
        await claims.drop_side(conn, state.id, side.other)
        contending = await claims.ambiguous(conn, state.id, side)
        total = await discoveries.raise_issues(
            conn, state.id, side, contending, cause="resync", now=ctx.clock()
        )
    client = await ctx.sites.client(state.site(side))
    async with ctx.database.connection() as conn:
        unseen = await unseen_projects.of_site(conn, state.site(side))
    projects = state.projects(side).keys
    async for page in client.search_issues(projects, field=field, unseen=unseen):
        async with ctx.database.transaction() as conn:
            issues = await contradicted(conn, state, page, retry=True)
            total += await discoveries.raise_issues(
                conn, state.id, side, issues, cause="resync", now=ctx.clock()
            )
        await renew()
    async with ctx.database.transaction() as conn:
        await unseen_projects.add(conn, state.site(side), unseen & set(projects), ctx.clock())
    return total


async def contradicted(
    conn: Connection, state: Running, page: Sequence[IssueView], *, retry: bool
) -> list[IssueId]:
    """Issues of *page* (the field's side) whose field says other than their claim or pair.
    With *retry* also those whose claim paired nothing: what stood against it may be over."""
    side = state.config.twins.side
    if side is None:
        return []
    issues = [view.ref.id for view in page]
    known = await claims.of_issues(conn, state.id, side, issues)
    paired = await twins.by_issues(conn, state.id, side, issues)
    found = []
    for view in page:
        issue, text = view.ref.id, (view.field_text or "").strip()
        claim, twin = known.get(issue), paired.get(issue)
        if claim is None:
            # Without a text there is something to settle only where the field made a pair.
            differs = bool(text) or (twin is not None and twin.source == "field")
        else:
            unpaired = claim.status is not ClaimStatus.PAIRED or twin is None
            differs = not text or claim.key != (twin_key(text) or "") or (retry and unpaired)
        if differs:
            found.append(issue)
    return found
