"""The gauges whose values only the database has, as this process exports them."""

from app.store.config import active_connection, connections
from app.store.views import status
from app.sync.guard import judge
from app.sync.runtime.context import Context


async def run_once(ctx: Context) -> int:
    """Refresh them; answers the number of connections."""
    async with ctx.database.connection() as conn:
        ctx.metrics.intents_unconfirmed.set(await status.unconfirmed(conn))
        live = await connections.live(conn)
        for connection_id in live:
            state = await active_connection.load(conn, connection_id)
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
    return len(live)
