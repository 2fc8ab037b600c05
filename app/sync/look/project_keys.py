"""Projects that have another key than the configured one, and what that makes of issue keys."""

from collections.abc import Iterator
from dataclasses import replace

from app.core.links import IssueKey, Side
from app.store.config import active_connection, project_pins
from app.store.links import twins
from app.store.links.twins import Twin
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context


async def follow(ctx: Context, look: Look) -> None:
    """Pin the projects that the configured keys mean, and record where one of them has another key
    by now: for the connection, and for the issues of it that were read."""
    await _pin(ctx, look)
    for side in Side:
        renamed = list(_renamed(look, side))
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
    """Twins whose issue has another key because its project has one."""
    pins = look.running.projects(side).pins
    for twin in look.twins.values():
        old, view = twin.on(side), look.readings[side].issues.get(twin.on(side).id)
        if view is None or view.ref.key == old.key:
            continue
        if any(pin.same_issue(old.key, view) for pin in pins):
            yield twin, view.ref.key
