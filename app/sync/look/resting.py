"""Suspended rows whose link is proven gone on both sides are forgotten.

A row at rest keeps its link key: while an old link of it is there, it may come back into scope.
Once both are gone there is nothing to come back, and the row would keep its key from new links for
ever: where its type is mapped to another one by now, no link between its issues would be mirrored.
"""

from collections.abc import Iterable

from app.core.errors import PermanentError, TransientError
from app.core.evidence import Absent, Lookup, SideFacts, Unlisted, glance, presence
from app.core.ledger import Row, State
from app.core.links import Ends, LinkType, Side
from app.jira.client import JiraClient
from app.store.config import active_connection
from app.store.links import suspended
from app.store.queue import work
from app.sync.look import read_sides
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context
from app.sync.runtime.side_by_side import side_by_side


async def forget_gone(ctx: Context, look: Look) -> None:
    """Proof is the one that a removal needs: see docs/how-it-decides.md. It is sought only where
    neither side lists the link any more."""
    candidates = [
        row
        for row in look.rows.values()
        if row.state is State.SUSPENDED and all(twin in look.twins for twin in row.key.twins)
    ]
    rows = [it for it in candidates if all(_unlisted(look, it, side) for side in Side)]
    for side in Side:
        if rows:
            rows = await _absent(ctx, look, rows, side)
    if not rows:
        return
    async with ctx.database.transaction() as conn:
        await active_connection.lock(conn, look.running.id)
        fences = [(it.twin_id, it.fence) for it in look.pairs.values()]
        standing = await work.held_fences(conn, look.running.id, fences, ctx.clock())
        ours = [row for row in rows if not standing.isdisjoint(row.key.twins)]
        gone = await suspended.forget(conn, ours, since=look.started_at)
    look.rows = {key: row for key, row in look.rows.items() if row.id not in gone}


async def _absent(ctx: Context, look: Look, rows: Iterable[Row], side: Side) -> list[Row]:
    """Those of *rows* whose link is proven absent on this side."""
    client = await ctx.sites.client(look.running.site(side))
    if not await read_sides.is_assured(client):
        return []
    those = list(rows)
    await read_sides.read_missing(client, look, side, [row.key for row in those])

    async def one(row: Row) -> Row | None:
        lookup = await _lookup(client, row, side)
        facts = _facts(look, row, side, lookup=lookup, assured=client.assured())
        return row if isinstance(presence(facts), Absent) else None

    found = await side_by_side(read_sides.LOOKUPS_AT_ONCE, one, those)
    return [row for row in found if row is not None and client.assured()]


async def _lookup(client: JiraClient, row: Row, side: Side) -> Lookup | None:
    """Of the id that the row has: whatever else it is by now, it is not gone."""
    known = row.link_on(side)
    if known is None:
        return None
    try:
        return Lookup.GONE if await client.get_link(known) is None else Lookup.CHANGED
    except (PermanentError, TransientError):
        return Lookup.ERROR


def _unlisted(look: Look, row: Row, side: Side) -> bool:
    return isinstance(glance(_facts(look, row, side)), Unlisted)


def _facts(
    look: Look, row: Row, side: Side, *, lookup: Lookup | None = None, assured: bool = False
) -> SideFacts:
    """Of the type that the row was written for, which may be mapped no longer; in either direction,
    since the map may have turned it round."""
    either = LinkType(side.pick(row.key.left_type, row.right_type), "", "", "")
    source, destination = (look.twins[twin].on(side) for twin in row.key.twins)
    return SideFacts(
        link_type=either,
        ends=Ends(source.id, destination.id),
        twin_keys=(source.key, destination.key),
        reading=look.readings[side],
        known=row.link_on(side),
        lookup=lookup,
        assured=assured,
    )
