"""Work that is due while no worker lives."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.store.pool import Connection
from app.store.queue import due_work
from app.store.upkeep import workers

OLD = timedelta(minutes=2)
"""What has been due for so long is late, whatever else there is to do."""


@dataclass(frozen=True, slots=True)
class Late:
    """Work that is due since `since`, and no worker that could do it."""

    since: datetime
    last_sign: datetime | None


async def late(conn: Connection, now: datetime) -> Late | None:
    """None while a worker lives, or nothing has been due for longer than `OLD`."""
    last = await workers.last_sign(conn)
    if last is not None and last > now - workers.ALIVE:
        return None
    since = await due_work.oldest(conn)
    return None if since is None or since > now - OLD else Late(since, last)
