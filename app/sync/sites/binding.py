"""Binding, once per installation, of the secrets that were sealed before places were bound.

Until it is done, nothing tells whether such a ciphertext was moved; afterwards one that is not
bound is refused (`secret_unbound`), for good. So it is done by the first process of this version
that needs a secret, for all sites in one transaction, and only if every secret could be read: one
whose key is missing leaves the mark open, and is bound once the key is back. Each keeps its key: to
seal it with the newest one is left to `twinlink secrets rotate`.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from app.core.errors import PermanentError
from app.store.config import sealed_secrets, sites
from app.store.config.vault import Vault, is_bound
from app.store.pool import Connection, Database

_LOG = structlog.get_logger(__name__)

AGAIN_SECONDS = 60.0
"""Between two tries where one did not end it: a key is missing, or the schema is an old one."""


@dataclass(frozen=True, slots=True)
class Bound:
    """`bound`: how many secrets were bound now; `complete`: it is done, now or before."""

    bound: int
    complete: bool


async def bind(database: Database, vault: Vault, clock: Callable[[], datetime]) -> Bound:
    """Bind all secrets unless that was done. Running it again changes nothing."""
    async with database.connection() as conn:
        if not await sealed_secrets.binding_is_known(conn):
            return Bound(0, complete=False)
        if await sealed_secrets.are_bound(conn):
            return Bound(0, complete=True)
    async with database.transaction() as conn:
        await sites.lock_admin(conn)
        if await sealed_secrets.are_bound(conn):
            return Bound(0, complete=True)
        await sealed_secrets.forget_replaced(conn, clock())
        done = await _bind(conn, vault)
        if done.complete:
            await sealed_secrets.say_bound(conn, clock())
    return done


async def _bind(conn: Connection, vault: Vault) -> Bound:
    bound, unreadable = 0, 0
    for site in await sealed_secrets.every(conn, lock=True):
        anew = dict[str, bytes]()
        for column, sealed in site.sealed.items():
            if is_bound(sealed):
                continue
            try:
                anew[column] = vault.bound(sealed, site.home, column)
            except PermanentError:
                unreadable += 1
        if anew:
            await sealed_secrets.store(conn, site.id, anew)
        bound += len(anew)
    return Bound(bound, complete=not unreadable)


@dataclass(slots=True)
class Binding:
    """One per process: asks until it is done, and seldom where it cannot be."""

    database: Database
    vault: Vault
    clock: Callable[[], datetime]
    _done: bool = False
    _again_at: float = float("-inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def _rests(self) -> bool:
        return self._done or time.monotonic() < self._again_at

    async def ensure(self) -> None:
        """Before a secret is read."""
        if self._rests():
            return
        async with self._lock:
            if self._rests():
                return
            done = await bind(self.database, self.vault, self.clock)
            self._done, self._again_at = done.complete, time.monotonic() + AGAIN_SECONDS
            if done.bound:
                _LOG.warning("secrets_bound", secrets=done.bound, complete=done.complete)
