"""A worker's sign of life, so that all faces can say which workers run."""

import socket

from app.store.upkeep import workers
from app.sync.runtime.context import Context


class Presence:
    """One per worker process."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._id: int | None = None
        self.workers = 1
        """How many live, as of the last sign."""

    async def run_once(self) -> None:
        async with self._ctx.database.connection() as conn:
            self._id, self.workers = await workers.sign(
                conn,
                self._id,
                host=socket.gethostname()[:255],
                engine=self._ctx.engine,
                now=self._ctx.clock(),
            )

    async def end(self) -> None:
        """What ends in order is not missed."""
        if self._id is not None:
            async with self._ctx.database.connection() as conn:
                await workers.left(conn, self._id)
