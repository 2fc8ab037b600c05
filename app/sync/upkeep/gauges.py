"""The gauges whose values only the database has. They are the installation's, so that the API
exports them, once, and no worker does."""

import asyncio
from datetime import datetime, timedelta

from app.core.incidents import Impact
from app.store.config import connections
from app.store.monitor import progress
from app.store.pool import Connection
from app.store.upkeep import circuits, workers
from app.store.views import figures, status
from app.sync.guard import judge, unpairings
from app.sync.runtime.context import Context
from app.telemetry import Metrics

_FRESH = timedelta(seconds=5)
"""Several scrapers at once cost one look."""
_LINKS_FRESH = timedelta(minutes=1)
"""Counting the ledger takes longest and changes least."""


class Gauges:
    """One per API process."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._lock = asyncio.Lock()
        self._looked: datetime | None = None
        self._counted: datetime | None = None
        self._inbox = 0
        self._unmanaged = 0

    async def refresh(self) -> None:
        """Unless it was done a moment ago. Raises `TransientError` where PostgreSQL is away."""
        async with self._lock:
            now = self._ctx.clock()
            if self._looked is None or now - self._looked >= _FRESH:
                await self.run_once()
                self._looked = now

    async def run_once(self) -> int:
        """Refresh them; answers the number of connections."""
        metrics, now = self._ctx.metrics, self._ctx.clock()
        async with self._ctx.database.connection() as conn:
            await self._installation(conn, metrics, now)
            await _sites(conn, metrics)
            await self._deliveries(conn, metrics)
            if self._counted is None or now - self._counted >= _LINKS_FRESH:
                metrics.links.clear()
                for (name, state), count in (await figures.links(conn)).items():
                    metrics.links.labels(name, state).set(count)
                self._counted = now
            found = await _connections(conn, metrics, now)
        metrics.gauges_refreshed.set(now.timestamp())
        return found

    async def _installation(self, conn: Connection, metrics: Metrics, now: datetime) -> None:
        metrics.intents_unconfirmed.set(await status.unconfirmed(conn))
        metrics.monitor_waiting.set(await progress.waiting(conn))
        metrics.workers.set(await figures.alive(conn, now - workers.ALIVE))
        by_impact = await figures.open_incidents(conn)
        for impact in Impact:
            metrics.incidents_open.labels(impact.value).set(by_impact.get(impact.value, 0))
        found = await figures.unmanaged_removed(conn)
        metrics.unmanaged_links_removed.inc(max(0, found - self._unmanaged))
        self._unmanaged = found

    async def _deliveries(self, conn: Connection, metrics: Metrics) -> None:
        last = await figures.last_deliveries(conn, self._inbox)
        self._inbox = last.until
        for site, at in last.by_site.items():
            metrics.last_delivery.labels(site).set(at.timestamp())


async def _sites(conn: Connection, metrics: Metrics) -> None:
    unseen = await figures.unseen_projects(conn)
    for gauge in (metrics.circuit_open, metrics.site_locked, metrics.projects_unseen):
        gauge.clear()
    for site in await circuits.all_sites(conn):
        metrics.circuit_open.labels(site.name).set(site.open_since is not None)
        metrics.site_locked.labels(site.name).set(site.locked)
        metrics.projects_unseen.labels(site.name).set(unseen.get(site.name, 0))


async def _connections(conn: Connection, metrics: Metrics, now: datetime) -> int:
    for gauge in (
        metrics.backlog,
        metrics.oldest_seconds,
        metrics.pairs_suspended,
        metrics.guard_tripped,
        metrics.guard_limit,
        metrics.guard_used,
    ):
        gauge.clear()
    live = await connections.live(conn)
    loads = await status.of_connections(conn, [it.id for it in live], now)
    windows = await judge.shown(conn, live, now)
    unpaired = await unpairings.shown(conn, live, now)
    for it in live:
        for word in ("backlog", "in_flight", "delayed", "waiting", "held", "failed"):
            metrics.backlog.labels(it.name, word).set(getattr(loads[it.id], word))
        metrics.oldest_seconds.labels(it.name).set(loads[it.id].oldest_seconds or 0)
        metrics.pairs_suspended.labels(it.name).set(loads[it.id].pairs_suspended)
        metrics.guard_tripped.labels(it.name).set(it.tripped)
        for window in (*windows[it.id], *unpaired[it.id]):
            metrics.guard_limit.labels(it.name, window.scope).set(window.limit)
            metrics.guard_used.labels(it.name, window.scope).set(window.used)
    return len(live)
