"""The sites that deliver webhooks, kept in memory for seconds, and their refused deliveries."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from app.core.errors import TransientError, TwinlinkError
from app.store.pool import Database
from app.store.queue import stray_deliveries
from app.store.queue import webhook_sources as stored
from app.store.queue.stray_deliveries import Stray
from app.store.secret_homes import PREVIOUS, WEBHOOK, Home

FRESH_SECONDS = 5.0
"""How long a replaced secret may go unseen where nothing asks for it."""
GAP_SECONDS = 0.25
"""Strangers can force refreshes, with unknown names and signatures: four a second."""


class Opener(Protocol):
    """What seals the secrets at rest, each for its place."""

    def open(self, sealed: bytes, home: Home, column: str, /) -> str: ...


async def at_rest() -> None:
    """For secrets that are bound already."""


_Sealed = tuple[bytes, Home, str]


def _current(row: stored.SealedSender) -> _Sealed:
    return row.secret, row.home, WEBHOOK


def _previous(row: stored.SealedSender) -> _Sealed | None:
    return None if row.previous is None else (row.previous, row.home, PREVIOUS)


@dataclass(frozen=True, slots=True)
class Sender:
    """One site as deliveries see it. `flagged`: its next valid one starts comparisons; `basic`: one
    without a signature may bring the secret in its address.

    A secret is None where no key of this process opens it, or it belongs to another place.
    """

    id: int
    name: str
    secret: bytes | None
    previous: bytes | None
    previous_until: datetime | None
    flagged: bool
    basic: bool = False

    def secrets(self, now: datetime) -> tuple[bytes, ...]:
        """What a signature may have been made with at *now*.

        Without the current secret nothing can be refused for good, and Jira never repeats what
        got 401: that is a `TransientError`.
        """
        if self.secret is None:
            raise TransientError("secret_unreadable", facts={"site": self.name}, retry_after=60)
        if self.previous is None or self.previous_until is None or self.previous_until <= now:
            return (self.secret,)
        return (self.secret, self.previous)


class Senders:
    """All sites, read together and at most `FRESH_SECONDS` old.

    A caller that misses something (a name, a valid signature) waits for one read that begins
    after it asked, shared with all who wait: Jira never repeats what got 401 or 404, so a
    site or a secret of a moment ago must not be missed.
    """

    def __init__(
        self,
        database: Database,
        vault: Opener,
        *,
        clock: Callable[[], datetime],
        gap: float = GAP_SECONDS,
        bound: Callable[[], Awaitable[object]] = at_rest,
    ) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._gap = gap
        self._bound = bound
        self._known: Mapping[str, Sender] = MappingProxyType({})
        self._opened: dict[_Sealed, bytes] = {}
        self._read_at = self._began_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self._deleted: frozenset[str] = frozenset()
        self._refused: Counter[int] = Counter()
        self._astray: Counter[Stray] = Counter()
        self._counting: asyncio.Task[None] | None = None

    async def named(self, name: str) -> Sender | None:
        """The site, or None where there is none. Errors: `TransientError`."""
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            await (asyncio.shield(self._reading) if self._reading else self.refresh())
        if name not in self._known:
            await self.refresh()
        return self._known.get(name)

    async def refresh(self) -> None:
        """Return after a read that began after this call."""
        if self._next is None:
            self._next = asyncio.create_task(self._read_when_allowed())
        await asyncio.shield(self._next)

    async def reject(self, sender: Sender) -> None:
        """Count one refused delivery. Returns once it is in the database; those that come
        together share the statement."""
        self._refused[sender.id] += 1
        await self._counted()

    async def stray(self, stray: Stray) -> None:
        """As `reject`, for a delivery that reached no site or had no signature."""
        self._astray[stray] += 1
        await self._counted()

    def was_deleted(self, name: str) -> bool:
        return name in self._deleted

    async def compare_if_flagged(self, sender: Sender) -> int:
        """After a valid delivery: queue the comparisons that refused ones made necessary."""
        if not sender.flagged:
            return 0
        async with self._database.transaction() as conn:
            queued = await stored.owe_comparison(conn, sender.id, now=self._clock())
        self._flag(sender.id, flagged=False)
        return queued

    async def _read_when_allowed(self) -> None:
        await asyncio.sleep(max(0.0, self._began_at + self._gap - time.monotonic()))
        # From here on a newcomer needs the next read: this one has begun.
        self._reading, self._next = self._next, None
        self._began_at = began = time.monotonic()
        try:
            await self._bound()
            async with self._database.connection() as conn:
                rows = await stored.load_senders(conn, now=self._clock())
                deleted = await stray_deliveries.deleted_names(conn)
        finally:
            self._reading = None
        if began >= self._read_at:
            self._remember(rows)
            self._deleted = deleted
            self._read_at = began

    def _remember(self, rows: list[stored.SealedSender]) -> None:
        """Opening a secret costs more than reading all rows: only what changed is opened. The same
        bytes in another place are another secret."""
        sealed = [it for row in rows for it in (_current(row), _previous(row)) if it is not None]
        self._opened = {it: opened for it in sealed if (opened := self._open(it)) is not None}
        self._known = MappingProxyType({row.name: self._sender(row) for row in rows})

    def _open(self, it: _Sealed) -> bytes | None:
        known = self._opened.get(it)
        if known is not None:
            return known
        try:
            return self._vault.open(*it).encode()
        except TwinlinkError:
            return None  # one site's trouble is not the others'

    def _sender(self, row: stored.SealedSender) -> Sender:
        return Sender(
            row.id,
            row.name,
            self._opened.get(_current(row)),
            None if (previous := _previous(row)) is None else self._opened.get(previous),
            row.previous_until,
            row.flagged,
            row.basic,
        )

    async def _counted(self) -> None:
        if self._counting is None:
            self._counting = asyncio.create_task(self._count())
        await asyncio.shield(self._counting)

    async def _count(self) -> None:
        # A turn of the loop, so that callers that arrived with the first one are in the statement.
        await asyncio.sleep(0)
        counts, self._refused, self._counting = self._refused, Counter(), None
        astray, self._astray = self._astray, Counter()
        async with self._database.transaction() as conn:
            flagged = await stored.reject(conn, counts, now=self._clock())
            await stray_deliveries.count(conn, astray, now=self._clock())
        for site_id in flagged:
            self._flag(site_id, flagged=True)

    def _flag(self, site_id: int, *, flagged: bool) -> None:
        """Seen here at once; other processes see it at their next read."""
        self._known = MappingProxyType(
            {
                name: replace(sender, flagged=flagged) if sender.id == site_id else sender
                for name, sender in self._known.items()
            }
        )
