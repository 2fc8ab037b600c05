"""Writes down which sites' circuits are open, where people and incidents see it.

Any number of workers may do so: they share the circuits. One that does not know what the others
see, since Redis is away, says what it sees open and leaves it to the others to say that it ended.
A site of which nothing is known to be wrong is not asked about.
"""

import structlog

from app.store.upkeep import circuits
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)


async def run_once(ctx: Context, *, suspected: bool = False) -> int:
    """One look at the sites that are recorded as open or that this process has found open;
    *suspected*: only where it has found any. Answers how many do not let calls through."""
    found = ctx.circuit.troubled()
    if suspected and not found:
        return 0
    async with ctx.database.connection() as conn:
        known = await circuits.in_question(conn, found)
    stopped = 0
    for site in known:
        view = await ctx.circuit.view(site.id)
        is_open = view.state != "closed"
        stopped += is_open
        if is_open == (site.open_since is not None) or not (is_open or view.certain):
            continue
        async with ctx.database.transaction() as conn:
            changed = await circuits.record(conn, site.id, ctx.clock() if is_open else None)
        if changed:
            _LOG.warning("circuit_opened" if is_open else "circuit_closed", site=site.name)
    return stopped
