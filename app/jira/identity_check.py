"""The check that Jira recognises our account, is the pinned one and shows link types, at most once
a minute. Every proof of absence and every write needs it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from time import monotonic

ASSURED_SECONDS = 60.0
"""Design section 4: a proof of absence needs `/myself` within the last 60 s."""


class Assurance:
    """Caches the outcome of *check*, one flight at a time.

    The age counts from before the check, and a `drop` while one is in flight discards it: the
    answer that caused the drop is newer than the one that is being waited for.
    """

    def __init__(self, check: Callable[[], Awaitable[None]], now: Callable[[], datetime]) -> None:
        self._check = check
        self._now = now
        self._lock = asyncio.Lock()
        self._held: tuple[float, datetime] | None = None
        self._drops = 0

    def valid(self) -> datetime | None:
        """The start of the check by our clock; None if it is too old or was dropped."""
        if self._held is None or monotonic() - self._held[0] >= ASSURED_SECONDS:
            return None
        return self._held[1]

    def drop(self) -> None:
        """Forget the last check, and any that runs now: what it finds is not kept."""
        self._held = None
        self._drops += 1

    async def obtain(self) -> datetime:
        """The start of a valid check, if necessary a new one. Raises what the check raises."""
        async with self._lock:
            at = self.valid()
            if at is None:
                at = await self._renew()
            return at

    async def _renew(self) -> datetime:
        drops, started, at = self._drops, monotonic(), self._now()
        await self._check()
        if drops == self._drops:
            self._held = (started, at)
        return at
