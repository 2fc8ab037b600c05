"""Operating state of connections: mode, pause, guard. Each change takes the connection's lock,
so that once it has returned no older intent can commit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from app.core.config import Mode
from app.core.incidents import IncidentKind
from app.core.links import Side
from app.store.alerts import incidents
from app.store.config import active_connection, connections, pauses, sites
from app.store.config.connections import ConnectionRow
from app.store.pool import Connection, Database
from app.store.queue.work import Cause
from app.store.upkeep import installation
from app.sync.connections.admin import Compare
from app.sync.guard import reset
from app.sync.look.ownership_transfer import raise_managers
from app.sync.resync import after_long_pause
from app.sync.runtime.refusals import Refused

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Switches:
    """`by` names who did it; every change is logged with it. *wake* after what frees work. With an
    *id*, only that connection is meant: its name may have been given to another one."""

    database: Database
    compare: Compare
    wake: Callable[[], None]

    async def mode(
        self, name: str, mode: Mode, *, by: str, now: datetime, id: int | None = None
    ) -> ConnectionRow:
        """Raises `Refused` where a site does not allow writing. Raising the mode looks at all
        twins again: what was only planned until now may be written. So do those who manage a
        mirror that this connection may take over from now on."""
        async with self.database.transaction() as conn:
            row = await _locked_with_sites(conn, name, id)
            if mode is not Mode.SHADOW:
                await refuse_unready(conn, {side: row.site_id(side) for side in Side})
            if mode is Mode.LIVE and await incidents.any_open(
                conn, IncidentKind.DATABASE_WENT_BACK
            ):
                raise Refused("database_went_back")
            ends = [row.site_id(side) for side in Side]
            if mode is Mode.LIVE and await incidents.open_of_sites(
                conn, IncidentKind.SITE_WENT_BACK, ends
            ):
                raise Refused("site_went_back")
            await connections.set_mode(conn, row.id, mode)
            if mode.rank > row.mode.rank:
                await raise_managers(conn, row.id, Cause("twin", "mode"), now=now)
        if mode is not row.mode:
            _LOG.info("mode_set", connection=name, former=row.mode.value, mode=mode.value, by=by)
        if mode.rank > row.mode.rank:
            await self.compare(row.id, cause="mode", by=by)
        return await self._now(row)

    async def pause(
        self, name: str, *, by: str, now: datetime, id: int | None = None
    ) -> ConnectionRow:
        async with self.database.transaction() as conn:
            row = await _locked(conn, name, id)
            await connections.set_paused(conn, row.id, at=now, by=by)
        _LOG.info("paused", connection=name, by=by)
        return await self._now(row)

    async def resume(
        self, name: str, *, by: str, now: datetime, id: int | None = None
    ) -> ConnectionRow:
        """After a long pause everything is compared, and the removals of that are held."""
        async with self.database.transaction() as conn:
            row = await _locked(conn, name, id)
            await connections.set_paused(conn, row.id, at=None, by=None)
            long = await pauses.end(conn, now, connection_id=row.id)
            await after_long_pause.begin(conn, long, by=by, now=now)
            await raise_managers(conn, row.id, Cause("twin", "resumed"), now=now)
        self.wake()
        _LOG.info("resumed", connection=name, by=by)
        return await self._now(row)

    async def reset_guard(
        self, name: str, *, by: str, now: datetime, id: int | None = None
    ) -> ConnectionRow:
        """Raises `Refused` where the resets of a day are spent."""
        async with self.database.transaction() as conn:
            row = await _locked(conn, name, id)
            await reset.reset(conn, row.id, by=by, now=now)
        self.wake()
        _LOG.warning("guard_reset", connection=name, tripped=row.tripped, by=by)
        return await self._now(row)

    async def pause_all(self, *, by: str, now: datetime) -> installation.Pause:
        async with self.database.transaction() as conn:
            # Every intent holds its connection's lock: waiting for all of them means that none
            # that was decided before this pause commits after it.
            await connections.lock_all(conn)
            pause = await installation.pause(conn, by=by, now=now)
            await pauses.begin_all(conn, now)
        _LOG.warning("paused_all", by=by)
        return pause

    async def resume_all(self, *, by: str, now: datetime) -> installation.Pause:
        async with self.database.transaction() as conn:
            await connections.lock_all(conn)
            pause = await installation.resume(conn)
            await after_long_pause.begin(conn, await pauses.end(conn, now), by=by, now=now)
        self.wake()
        _LOG.warning("resumed_all", by=by)
        return pause

    async def _now(self, row: ConnectionRow) -> ConnectionRow:
        async with self.database.connection() as conn:
            now = await connections.by_id(conn, row.id)
        if now is None:
            raise Refused("connection_unknown")
        return now


async def _locked(conn: Connection, name: str, id: int | None) -> ConnectionRow:
    row = await connections.lock(conn, name)
    if row is None or id not in {None, row.id}:
        raise Refused("connection_unknown")
    return row


async def _locked_with_sites(conn: Connection, name: str, id: int | None) -> ConnectionRow:
    """The sites first, as before every removal. What they allow cannot be taken back between the
    check of it and the mode that relies on it."""
    found = await connections.by_name(conn, name)
    if found is None:
        raise Refused("connection_unknown")
    await active_connection.lock_sites(conn, {found.site_id(side) for side in Side})
    row = await _locked(conn, name, id)
    if row.id != found.id:
        raise Refused("concurrent_change")
    return row


async def refuse_unready(conn: Connection, ends: Mapping[Side, int]) -> None:
    """Authorship is proven by the account, so it must be known and dedicated. Under the locks of
    these sites."""
    for side in Side:
        site = await sites.by_id(conn, ends[side])
        if site is None or not site.pinned:
            raise Refused("site_unchecked", f"check the {side.value} site first")
        if not site.account_dedicated:
            raise Refused("account_not_dedicated", f"declare it on the site {site.name}")
