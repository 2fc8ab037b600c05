"""Pairs and rows that leave the scope rest; coming back they go on. Neither removes anything.

A row rests (`suspended`) while an end has moved out of the connection's projects, its type is
not mapped as it was, or its origin's side no longer leads. It is `orphaned` while an end
issue is deleted or cannot be seen.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from app.core.config import ConnectionConfig, OnIssueDeleted
from app.core.ledger import LinkKey, Row, State
from app.core.links import Side, project_of
from app.store.config import active_connection
from app.store.links import ledger, twins
from app.store.links.ledger import Change
from app.store.links.twins import Twin
from app.store.queue import inbox_events
from app.sync.look import project_keys, same_issue
from app.sync.look.ownership_transfer import tell_managers
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context

MOVED_OUT = "moved_out_of_scope"
# Read replicas and caches may show an issue that has just been deleted.
READING_LAG = timedelta(minutes=10)


async def follow_moves(ctx: Context, look: Look) -> None:
    """Record new keys of moved issues, once the old key is proven to lead to the same id, and
    suspend or resume pairs by the projects that their issues are in now."""
    await same_issue.learn(ctx, look)
    await project_keys.follow(ctx, look)
    for twin in list(look.claimed_twins()):
        current: Twin | None = twin
        for side in Side:
            view = look.readings[side].issues.get(twin.on(side).id)
            if current is not None and view is not None and view.ref.key != twin.on(side).key:
                current = await _rekey(ctx, look, current, side)
        if current is not None:
            await _place_in_scope(ctx, look, current)


async def _rekey(ctx: Context, look: Look, twin: Twin, side: Side) -> Twin | None:
    """The twin under its new key; unchanged where it is not certain that this is its issue: by when
    it was made, or by where the old key leads."""
    view, old = look.readings[side].issues[twin.on(side).id], twin.on(side).key
    if not same_issue.moved(twin, side, view):
        client = await ctx.sites.client(look.running.site(side))
        resolved = (await client.resolve_keys([old])).get(old)
        if resolved is None or resolved.ref.id != twin.on(side).id:
            return twin
        view = resolved
    in_scope = look.running.projects(side).hold(view)
    async with ctx.database.transaction() as conn:
        await twins.rekey(conn, twin, side, view.ref.key, in_scope=in_scope)
    return await _reload(ctx, look, twin)


async def _reload(ctx: Context, look: Look, twin: Twin) -> Twin | None:
    async with ctx.database.connection() as conn:
        found = await twins.by_ids(conn, look.running.id, [twin.id])
    look.know(found.values())
    return found.get(twin.id)


async def _place_in_scope(ctx: Context, look: Look, twin: Twin) -> None:
    views = {side: look.readings[side].issues.get(twin.on(side).id) for side in Side}
    outside = any(
        view is not None and not look.running.projects(side).hold(view)
        for side, view in views.items()
    )
    all_seen = all(view is not None for view in views.values())
    if outside and twin.suspended is None:
        wanted: str | None = MOVED_OUT
    elif not outside and all_seen and twin.suspended == MOVED_OUT:
        wanted = None
    else:
        return
    async with ctx.database.transaction() as conn:
        await twins.suspend(conn, twin, wanted)
    await _reload(ctx, look, twin)


async def rest_and_resume(ctx: Context, look: Look) -> None:
    """Suspend rows that are out of scope, resume those that are back, and take orphans back
    whose issues can all be seen again."""
    await _read_ends_of_orphans(ctx, look)
    if look.running.config.on_issue_deleted is OnIssueDeleted.REMOVE:
        await _contradict_deletions(ctx, look)
    changes = [it for row in look.rows.values() if (it := _next_state(look, row)) is not None]
    if not changes:
        return
    async with ctx.database.transaction() as conn:
        await active_connection.lock(conn, look.running.id)
        for change in sorted(changes, key=lambda it: it.row.id):
            await ledger.change(conn, change, now=ctx.clock())
        back = [it.row for it in changes if it.state is State.PREEXISTING]
        await tell_managers(conn, look, [(row.key, row.mirror) for row in back], ctx.clock())
        rows = await ledger.touching(conn, look.running.id, look.pairs)
    look.rows = {row.key: row for row in rows}


def imagine(look: Look) -> None:
    """For a dry look: pairs and rows as they would rest or go on under its configuration, in
    memory alone. Where an end was not read, its key says which project it is in."""
    project_keys.imagine(look)
    for twin in list(look.twins.values()):
        outside = any(not _covered(look, twin, side) for side in Side)
        if outside and twin.suspended is None:
            look.know([replace(twin, suspended=MOVED_OUT)])
        elif not outside and twin.suspended == MOVED_OUT:
            look.know([replace(twin, suspended=None)])
    for key, row in list(look.rows.items()):
        change = _next_state(look, row)
        if change is not None:
            look.rows[key] = replace(row, state=change.state, former=change.former)


def _covered(look: Look, twin: Twin, side: Side) -> bool:
    projects, end = look.running.projects(side), twin.on(side)
    view = look.readings[side].issues.get(end.id)
    return projects.hold(view) if view is not None else project_of(end.key) in projects.keys


def _next_state(look: Look, row: Row) -> Change | None:
    resting = not _in_scope(look, row)
    if row.state is State.SUSPENDED:
        return None if resting else Change.keeping(row, row.former or State.DETACHED, "resumed")
    if resting:
        former = row.former if row.state is State.ORPHANED else row.state
        return Change.keeping(row, State.SUSPENDED, "out_of_scope", former=former)
    if row.state is State.ORPHANED and _all_ends_seen(look, row.key):
        return Change.keeping(row, row.former or State.DETACHED, "seen_again")
    return None


def _in_scope(look: Look, row: Row) -> bool:
    config: ConnectionConfig = look.running.config
    types = look.pair_types(row.key)
    if types is None or types.right.id != row.right_type:
        return False
    if not types.left.symmetric and _turned(look, row):
        return False
    leads = config.direction.allows_origin(row.origin)
    if not leads and State.PREEXISTING not in (row.state, row.former):
        return False
    return all(
        (twin := look.twins.get(twin_id)) is not None and twin.suspended is None
        for twin_id in row.key.twins
    )


def _turned(look: Look, row: Row) -> bool:
    """Whether the type map's `reversed` has changed since the row was written."""
    if row.right_source is None or not all(twin in look.twins for twin in row.key.twins):
        return False
    source, _ = look.ends(row.key, Side.RIGHT)
    return source.id != row.right_source


async def _read_ends_of_orphans(ctx: Context, look: Look) -> None:
    orphans = [row.key for row in look.rows.values() if row.state is State.ORPHANED]
    orphans = [key for key in orphans if all(twin in look.twins for twin in key.twins)]
    for side in Side:
        reading = look.readings[side]
        ends = {look.twins[twin].on(side).id for key in orphans for twin in key.twins}
        missing = sorted(ends - reading.issues.keys() - reading.unread.keys())
        if missing:
            client = await ctx.sites.client(look.running.site(side))
            same_issue.take(look, side, await client.read_issues(missing))


def _all_ends_seen(look: Look, key: LinkKey) -> bool:
    return all(
        look.twins[twin].on(side).id in look.readings[side].issues
        for twin in key.twins
        for side in Side
    )


async def orphan(ctx: Context, look: Look, keys: Iterable[LinkKey], reason: str) -> None:
    """Rows whose end issues cannot be seen: kept and shown."""
    rows = [look.rows[key] for key in keys if key in look.rows]
    resting = (State.ORPHANED, State.SUSPENDED)
    async with ctx.database.transaction() as conn:
        await active_connection.lock(conn, look.running.id)
        for row in sorted(rows, key=lambda it: it.id):
            if row.state not in resting:
                change = Change.keeping(row, State.ORPHANED, reason, former=row.state)
                await ledger.change(conn, change, now=ctx.clock())


async def _contradict_deletions(ctx: Context, look: Look) -> None:
    """No Jira brings a deleted issue back. One that it shows long after was not deleted there, and
    that it is not seen later proves nothing."""
    async with ctx.database.transaction() as conn:
        for side in Side:
            await inbox_events.contradict_deletions(
                conn,
                look.running.site(side),
                look.readings[side].issues,
                look.started_at - READING_LAG,
            )


async def deleted_ends(ctx: Context, look: Look, key: LinkKey, side: Side) -> str | None:
    """The `jira:issue_deleted` delivery for an end of this link on *side*, if one came and
    the issue still cannot be seen."""
    ends = [end.id for end in look.ends(key, side)]
    unseen = [end for end in ends if look.readings[side].unread.get(end) == "not_returned"]
    if not unseen:
        return None
    async with ctx.database.connection() as conn:
        found = await inbox_events.deleted_issues(conn, look.running.site(side), unseen)
    return next((delivery for delivery, _ in found.values()), None)
