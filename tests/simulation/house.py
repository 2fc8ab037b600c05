"""The service as a story has it: an API process, workers, and hands of the story's own.

Each process has its own connections, clients and memory; what they share is PostgreSQL and the
sites. A killed one comes back as a new one of the same name.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from app.jira.client import JiraClient, Options
from app.jira.http.access import SiteAccess
from app.store.pool import Database
from app.sync.ingest.inbox import Inbox
from app.sync.ingest.wakeups import Wake
from app.sync.runtime.context import Context
from app.sync.runtime.jira_clients import Sites
from tests.simulation.gated_database import GatedDatabase, Wires
from tests.simulation.gated_jira import GatedWire
from tests.simulation.process import HERE, Process
from tests.simulation.scheduler import Scheduler
from tests.simulation.watch import Watch
from tests.support.engine import Nowhere, Plain, World

LOCKS = 1000
"""Beyond the versions that a change of the site has."""


def latency(random: Random) -> float:
    """Seconds; now and then a slow one."""
    return random.choice((0.02, 0.05, 0.1, 0.1, 0.2, 0.2, 1.5))


class Worker:
    """One process with what a worker works with."""

    def __init__(self, process: Process, ctx: Context) -> None:
        self.process = process
        self.ctx = ctx

    @property
    def alive(self) -> bool:
        return not self.process.dead


class House:
    """Builds processes, and takes them down."""

    def __init__(self, scheduler: Scheduler, wires: Wires, world: World, watch: Watch) -> None:
        self.scheduler = scheduler
        self.wires = wires
        self.world = world
        self.watch = watch
        self.alarm: Callable[[str], None] = scheduler.alarm

    def worker(self, name: str) -> Worker:
        process = Process(name, self.scheduler)
        process.on_commit = self.watch.committed
        database = GatedDatabase(process, self.wires, self.scheduler)
        sites = Sites(self._access, lambda access: self._client(process, access))
        return Worker(process, replace(self.world.ctx, database=database, sites=sites))

    def inbox(self, worker: Worker) -> Inbox:
        """Its tasks belong to the process of the worker."""
        token = HERE.set(worker.process)
        try:
            return Inbox.on(
                worker.ctx.database,
                Plain(),
                Wake(Nowhere(), gap=0),
                metrics=worker.ctx.metrics,
                clock=self.world.now,
                window=0,
            )
        finally:
            HERE.reset(token)

    async def kill(self, worker: Worker) -> None:
        await worker.process.kill(self.wires)

    async def _access(self, site_id: int) -> SiteAccess:
        return next(it.access for it in self.world.stations.values() if it.id == site_id)

    def _client(self, process: Process, access: SiteAccess) -> JiraClient:
        name, station = next(
            (name, it) for name, it in self.world.stations.items() if it.id == access.id
        )
        wire = GatedWire(process, name, station.app, self.scheduler, self.watch, latency)
        options = Options(now=self.world.now, locked=self._lock)
        return JiraClient(access, options, http=wire)

    async def _lock(self, site: SiteAccess) -> None:
        """For all processes, as the table of sites does it."""
        station = next(it for it in self.world.stations.values() if it.id == site.id)
        if station.access.version == site.version:
            station.access = replace(site, locked=True, version=site.version + LOCKS)


def own_hands(scheduler: Scheduler, wires: Wires) -> tuple[Process, Database]:
    """The connection with which the story itself reads and builds: it is never held up."""
    process = Process("story", scheduler, gated=False, told=False)
    return process, GatedDatabase(process, wires, scheduler)
