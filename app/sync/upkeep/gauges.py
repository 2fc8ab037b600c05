"""The gauges that only the database knows, for whoever scrapes this process."""

from app.store.config import active_connection
from app.store.views import status
from app.sync.guard import judge
from app.sync.runtime.context import Context


async def run_once(ctx: Context) -> int:
    """Refresh them; answers the number of connections."""
    async with ctx.database.connection() as conn:
        unconfirmed = await conn.fetchval(
            "SELECT count(*) FROM intents WHERE state = 'open' AND unconfirmed_since IS NOT NULL"
        )
        ctx.metrics.intents_unconfirmed.set(unconfirmed)
        names = await conn.fetch("SELECT id, name FROM connections WHERE deleted_at IS NULL")
        for row in names:
            state = await active_connection.load(conn, row["id"])
            if state is None:
                continue
            now = ctx.clock()
            busy = await status.of_connection(conn, state.id, now)
            for word in ("backlog", "in_flight", "delayed", "waiting", "held", "failed"):
                ctx.metrics.backlog.labels(state.name, word).set(busy[word])
            ctx.metrics.oldest_seconds.labels(state.name).set(busy["oldest_seconds"] or 0)
            tripped = state.guard_tripped_at is not None
            ctx.metrics.guard_tripped.labels(state.name).set(tripped)
            for window in await judge.shown(conn, state, now):
                labels = (state.name, window.scope, str(window.seconds))
                ctx.metrics.guard_limit.labels(*labels).set(window.limit)
                ctx.metrics.guard_used.labels(*labels).set(window.used)
    return len(names)
