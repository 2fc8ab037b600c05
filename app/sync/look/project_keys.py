"""Projects that have another key than the configured one, and what that makes of issue keys."""

from collections.abc import Iterator
from dataclasses import replace

from app.core.links import IssueKey, Side
from app.store.config import active_connection, project_pins
from app.store.links import twins
from app.store.links.twins import Twin
from app.sync.look import same_issue
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context


async def follow(ctx: Context, look: Look) -> None:
    """Pin the projects that the configured keys mean, and record where one of them has another key
    by now: for the connection, and for the issues of it that were read."""
    await _pin(ctx, look)
    for side in Side:
        renamed = sorted(_renamed(look, side), key=lambda it: it[0].id)
        if renamed:
            async with ctx.database.transaction() as conn:
                for twin, key in renamed:
                    await twins.rekey(conn, twin, side, key)
                ids = [twin.id for twin, _ in renamed]
                look.know((await twins.by_ids(conn, look.running.id, ids)).values())


def imagine(look: Look) -> None:
    """As `follow`, in memory alone."""
    seen = {side: look.readings[side].issues.values() for side in Side}
    pins = {
        side: look.running.projects(side).with_pins(look.running.projects(side).news(seen[side]))
        for side in Side
    }
    look.running = replace(look.running, pins={side: it.pins for side, it in pins.items()})
    for side in Side:
        for twin, key in list(_renamed(look, side)):
            left, right = side.order(replace(twin.on(side), key=key), twin.on(side.other))
            look.know([replace(twin, left=left, right=right)])


async def _pin(ctx: Context, look: Look) -> None:
    """Under the connection's lock: a key that its configuration has no more is not pinned."""
    if not any(
        True
        for side in Side
        for _ in look.running.projects(side).news(look.readings[side].issues.values())
    ):
        return
    async with ctx.database.transaction() as conn:
        state = await active_connection.lock(conn, look.running.id)
        if state is None:
            return
        for side in Side:
            news = state.projects(side).news(look.readings[side].issues.values())
            await project_pins.put(conn, state.id, side, news, ctx.clock())
        pins = await project_pins.of_connection(conn, state.id)
    look.running = replace(look.running, pins=pins)


def _renamed(look: Look, side: Side) -> Iterator[tuple[Twin, IssueKey]]:
    """Twins whose issue is proven to be the same under another key: by when it was made, or because
    its project has another one. One that has left the scope is left to a look at its own pair,
    which suspends that."""
    projects = look.running.projects(side)
    for twin in look.twins.values():
        old, view = twin.on(side), look.readings[side].issues.get(twin.on(side).id)
        if view is None or view.ref.key == old.key or not projects.hold(view):
            continue
        same = same_issue.moved(twin, side, view)
        if same or any(pin.same_issue(old.key, view) for pin in projects.pins):
            yield twin, view.ref.key
