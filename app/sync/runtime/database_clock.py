"""Our time, as PostgreSQL has it: windows, leases and confirmations of all processes agree,
whatever the clocks of their machines say."""

from datetime import UTC, datetime, timedelta

import structlog

from app.store import clock
from app.store.pool import Database

_LOG = structlog.get_logger(__name__)

# A machine that is this far off is worth a line in the log.
_NOTABLE = timedelta(seconds=2)


class DatabaseClock:
    """Local time plus the offset that was measured last; `refresh` measures it."""

    def __init__(self) -> None:
        self._offset = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._offset

    async def refresh(self, database: Database) -> timedelta:
        """Ask PostgreSQL once; half of the round trip is taken as the way back."""
        async with database.connection() as conn:
            before = datetime.now(UTC)
            there = await clock.read(conn)
            after = datetime.now(UTC)
        self._offset = there - (before + (after - before) / 2)
        if abs(self._offset) > _NOTABLE:
            _LOG.warning("clock_off", seconds=round(self._offset.total_seconds(), 3))
        return self._offset
