"""The first pass after a long pause: everything is compared, and no removal goes by itself.

Whatever happened in more than a day without us shows up at once, so a person decides about what
it would remove; creations go on.
"""

from collections.abc import Iterable
from datetime import datetime

from app.store.config import pauses
from app.store.guard import approvals
from app.store.pool import Connection
from app.sync.resync.walk import enqueue


async def begin(conn: Connection, connections: Iterable[int], *, by: str, now: datetime) -> None:
    """In the transaction that ends the pause: no removal may slip in between, and an approval
    from before it is void."""
    for connection_id in connections:
        await approvals.void(conn, connection_id, "its approval is void after a long pause")
        resync_id = await enqueue(
            conn,
            connection_id,
            twin_ids=None,
            dry_run=False,
            requested_by=by,
            now=now,
            cause="long_pause",
        )
        await pauses.begin_first_pass(conn, connection_id, resync_id)
