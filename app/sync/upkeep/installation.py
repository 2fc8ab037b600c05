"""Whether this process and this database belong together, and whether time went back.

A copy of production's database in a test environment must not touch production's Jira: a process
that is configured as another installation than the database's, or none where the database has a
name, writes nothing. And a database that was restored, or lost what a failed primary had, may know
less than Jira shows: everything is paused until a person resumes it, and even then no connection is
live, so that every removal is held until that incident is resolved.
"""

import structlog

from app.core.incidents import Impact, IncidentKind
from app.store.config import connections, pauses
from app.store.guard import facts
from app.store.pool import Connection
from app.store.upkeep import database_identity, installation
from app.store.upkeep.database_identity import Identity
from app.sync.incidents.timeline import open_or_note
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)

UNCHECKED = "unchecked"
MISMATCH = IncidentKind.INSTALLATION_MISMATCH
WENT_BACK = IncidentKind.DATABASE_WENT_BACK


class InstallationWatch:
    """One per worker process. It refuses the process's permit until the first look."""

    def __init__(self, ctx: Context, named: str | None) -> None:
        self._ctx = ctx
        self._named = named
        self._beat = 0
        ctx.permit.refuse(UNCHECKED)

    async def run_once(self) -> bool:
        """One look; answers whether this process may write."""
        ctx = self._ctx
        async with ctx.database.transaction() as conn:
            stored = await self._stored(conn)
            # Where neither was ever given a name, neither can be a copy of a named one.
            ours = stored == self._named
            beat = self._beat
            if ours:
                beat = await self._compare(conn)
                await facts.started(conn, ctx.engine, ctx.clock())
            else:
                await self._refuse(conn, stored or "none yet")
        if ours:
            # Only now it is committed: a beat that was rolled back would look like one that a
            # restored dump does not know.
            self._beat = beat
            ctx.permit.grant()
        return ctx.permit.granted

    async def _stored(self, conn: Connection) -> str | None:
        """A database without a name takes ours, if we have one."""
        if self._named is None:
            await installation.note(conn)
            return await installation.named(conn)
        return await installation.ensure(conn, self._named)

    async def _refuse(self, conn: Connection, stored: str) -> None:
        ctx = self._ctx
        ctx.permit.refuse(MISMATCH)
        configured = self._named or "nothing"
        _LOG.error(MISMATCH, configured=configured, stored=stored, hint="set TWINLINK_INSTALLATION")
        await open_or_note(
            conn,
            MISMATCH,
            now=ctx.clock(),
            detail={"configured": configured, "stored": stored},
            impact=Impact.MAJOR,
        )

    async def _compare(self, conn: Connection) -> int:
        here = await database_identity.seen(conn)
        if self._sign(await database_identity.stored(conn), here) is not None:
            # Under the lock that every intent takes: what follows holds for all of them.
            await connections.lock_all(conn)
            sign = self._sign(await database_identity.stored(conn), here)
            if sign is not None:
                await self._hold(conn, sign)
        return await database_identity.store(conn, here)

    def _sign(self, stored: Identity, here: Identity) -> str | None:
        """How it shows. A beat below one that this process has seen: a dump was put back."""
        return stored.differs(here) or ("beat" if stored.beat < self._beat else None)

    async def _hold(self, conn: Connection, sign: str) -> None:
        now = self._ctx.clock()
        names = await database_identity.hold_removals(conn)
        await installation.pause(conn, by=WENT_BACK, now=now)
        await pauses.begin_all(conn, now)
        _LOG.error(WENT_BACK, sign=sign, connections=names, hint="twinlink resume --all")
        await open_or_note(
            conn,
            WENT_BACK,
            now=now,
            detail={"sign": sign, "connections": len(names)},
            impact=Impact.MAJOR,
        )
