"""The only file that constructs things: settings in, services out."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial

import structlog
from pydantic import SecretStr
from redis.asyncio import Redis

from app import __version__
from app.core.errors import PermanentError
from app.core.links import LinkType
from app.core.recorded.sample import Sample
from app.jira.client import JiraClient, Options
from app.jira.http.access import SiteAccess
from app.jira.http.lockout import Tell
from app.jira.http.network import Route
from app.jira.http.options import Follow
from app.jira.http.response import CallRecord
from app.jira.http.stranger import stated_deployment
from app.jira.rates.budget import Budget
from app.jira.rates.budget_local import LocalBudget
from app.jira.rates.budget_shared import SharedBudget
from app.jira.rates.circuit import Circuit, LocalCircuit
from app.jira.rates.circuit_shared import SharedCircuit
from app.settings import Settings
from app.store.config import sites as stored_sites
from app.store.config.vault import Vault
from app.store.pool import Database, open_pool
from app.sync.connections.admin import ConnectionAdmin
from app.sync.connections.revisions import Revisions
from app.sync.connections.switches import Switches
from app.sync.incidents.notify import Targets
from app.sync.ingest.inbox import Inbox
from app.sync.ingest.wakeups import ArqQueue, Queue, Wake
from app.sync.resync import walk
from app.sync.runtime.context import Context
from app.sync.runtime.database_clock import DatabaseClock
from app.sync.runtime.jira_clients import Sites
from app.sync.runtime.recording import Recording
from app.sync.runtime.write_gate import Permit
from app.sync.sites import link_types
from app.sync.sites.access import access
from app.sync.sites.address import Addresses
from app.sync.sites.admin import SiteAdmin
from app.sync.sites.binding import Binding
from app.sync.sites.exchange import Exchange
from app.sync.sites.webhook import SiteWebhooks
from app.sync.upkeep.gauges import Gauges
from app.telemetry import Metrics

_LOG = structlog.get_logger(__name__)
Clock = Callable[[], datetime]
ENGINE = f"twinlink/{__version__}"
"""Names this version in the audit."""


class Nowhere:
    """Where wake-ups go without Redis: the sweep finds the work."""

    async def put(self) -> bool:
        return False

    async def aclose(self) -> None:
        return None


@dataclass(frozen=True)
class Services:
    """Everything that a face of the service works with; one per process. `redis` is None
    where none is configured: then wake-ups and budgets are this process's own."""

    settings: Settings
    database: Database
    vault: Vault
    sites: Sites
    wake: Wake
    redis: Redis | None
    metrics: Metrics
    clock: Clock
    engine: str
    permit: Permit = field(default_factory=Permit)
    circuit: Circuit = field(default_factory=LocalCircuit)

    @cached_property
    def context(self) -> Context:
        """What the use cases of the workers take: one, since its turns are counted in it."""
        return Context(
            self.database,
            self.sites,
            self.metrics,
            self.clock,
            self.engine,
            self.permit,
            circuit=self.circuit,
            recording=Recording(
                Sample(self.settings.decisions_one_in), self.settings.decisions_a_day
            ),
        )

    @cached_property
    def binding(self) -> Binding:
        """What is asked before a stored secret is read."""
        return Binding(self.database, self.vault, self.clock)

    @cached_property
    def gauges(self) -> Gauges:
        """The installation's metrics; one, since it remembers how far it has looked."""
        return Gauges(self.context)

    @property
    def targets(self) -> Targets:
        """Whom messages go to."""
        notify, page = (
            [url.get_secret_value() for url in urls]
            for urls in (self.settings.notify_urls, self.settings.page_urls)
        )
        return Targets.of(notify, page, self.settings.notify_per_minute)

    @property
    def site_admin(self) -> SiteAdmin:
        # A first look at a site has no id yet, under which a budget could be kept; and a person
        # who asks whether a site is back gets its own answer, not the circuit's.
        build = partial(
            build_client,
            settings=self.settings,
            budget=None,
            metrics=self.metrics,
            clock=self.clock,
            locked=_locker(self.database, self.clock),
        )
        private = self.settings.allow_private_sites
        return SiteAdmin(self.database, self.vault, build, private)

    @property
    def addresses(self) -> Addresses:
        it = self.settings
        way = Route(it.allow_private_sites, it.ca_path, None, it.proxy_url, it.no_proxy)
        ask = partial(stated_deployment, way, it.jira_timeout_seconds)
        return Addresses(ask, it.allow_private_sites)

    @property
    def webhooks(self) -> SiteWebhooks:
        it = self.settings
        return SiteWebhooks(
            self.database, self.vault, self.sites.client, it.public_url, it.installation
        )

    @property
    def connection_admin(self) -> ConnectionAdmin:
        return ConnectionAdmin(self.database, self.sites, self.compare)

    @property
    def revisions(self) -> Revisions:
        return Revisions(self.connection_admin, self.wake.soon)

    @property
    def switches(self) -> Switches:
        return Switches(self.database, self.compare, self.wake.soon)

    async def compare(self, connection_id: int, *, cause: str, by: str) -> int:
        """Queue a look at all twins of a connection, and wake a worker for it."""
        resync_id = await walk.request(
            self.database,
            connection_id,
            twin_ids=None,
            dry_run=False,
            cause=cause,
            requested_by=by,
            now=self.clock(),
        )
        self.wake.soon()
        return resync_id


@asynccontextmanager
async def open_services(
    settings: Settings, *, clock: Clock | None = None
) -> AsyncIterator[Services]:
    """Everything connected, and closed in reverse order. Redis may be away; PostgreSQL not.
    Without a *clock* of its own, time is PostgreSQL's.

    Raises `TransientError` where PostgreSQL does not answer, `PermanentError` where the
    settings lack what every process needs.
    """
    async with AsyncExitStack() as stack:
        vault = Vault([key.get_secret_value() for key in settings.secret_key])
        metrics = Metrics()
        metrics.build_info.labels(__version__).set(1)
        pool = await open_pool(
            _needed(settings.database_url, "database_url"),
            low=settings.db_pool_min,
            high=settings.db_pool_max,
        )
        database = Database(pool)
        stack.push_async_callback(database.close)
        if clock is None:
            clock = DatabaseClock()
            await clock.refresh(database)
        redis = await _open_redis(settings, stack)
        budget, circuit = _limits(redis)
        permit = Permit()
        build = partial(
            build_client,
            settings=settings,
            budget=budget,
            circuit=circuit,
            metrics=metrics,
            clock=clock,
            permit=permit,
            types=_follower(database),
            refused=_exchange(database, vault, settings, metrics, clock),
            locked=_locker(database, clock),
        )
        sites = Sites(_loader(database, Binding(database, vault, clock)), build)
        stack.push_async_callback(sites.aclose)
        wake = _open_wake(settings, metrics)
        stack.push_async_callback(wake.aclose)
        yield Services(
            settings, database, vault, sites, wake, redis, metrics, clock, ENGINE, permit, circuit
        )


def build_inbox(services: Services) -> Inbox:
    """The use case behind the webhook route; close it before the services."""
    return Inbox.on(
        services.database,
        services.vault,
        services.wake,
        metrics=services.metrics,
        clock=services.clock,
        window=services.settings.ingest_window_ms / 1000,
        bound=services.binding.ensure,
    )


def build_client(
    to: SiteAccess,
    *,
    settings: Settings,
    budget: Budget | None,
    metrics: Metrics,
    clock: Clock,
    circuit: Circuit | None = None,
    permit: Permit | None = None,
    types: Follow | None = None,
    refused: Tell | None = None,
    locked: Tell | None = None,
) -> JiraClient:
    """*clock* is the one by which intents say until when their request may be sent."""

    def observe(record: CallRecord) -> None:
        status = str(record.status or record.outcome)
        metrics.jira_requests.labels(to.name, record.endpoint, status).inc()
        metrics.jira_request_seconds.labels(to.name, record.endpoint).observe(record.seconds)

    def odd(what: str) -> None:
        metrics.jira_odd_answers.labels(to.name, what).inc()

    options = Options(
        budget=budget,
        circuit=circuit,
        observe=observe,
        odd=odd,
        types=types,
        refused=refused,
        locked=locked,
        read_only=lambda: settings.read_only or (permit is not None and not permit.granted),
        allow_private=settings.allow_private_sites,
        ca_file=settings.ca_path,
        proxy=settings.proxy_url,
        direct=settings.no_proxy,
        timeout_seconds=settings.jira_timeout_seconds,
        now=clock,
    )
    return JiraClient(to, options)


def _needed(url: SecretStr | None, name: str) -> str:
    if url is None:
        raise PermanentError("setting_missing", f"TWINLINK_{name.upper()} is not set")
    return url.get_secret_value()


def _loader(database: Database, binding: Binding) -> Callable[[int], Awaitable[SiteAccess]]:
    async def load(site_id: int) -> SiteAccess:
        await binding.ensure()
        async with database.connection() as conn:
            row = await stored_sites.by_id(conn, site_id)
        if row is None:
            raise PermanentError("site_unknown")
        return access(row, binding.vault)

    return load


def _exchange(
    database: Database, vault: Vault, settings: Settings, metrics: Metrics, clock: Clock
) -> Tell:
    """Where a client says that its token is refused, and that there is a second one."""
    build = partial(build_client, settings=settings, budget=None, metrics=metrics, clock=clock)
    return Exchange(database, vault, build, clock)


def _follower(database: Database) -> Follow:
    """Where a client hands over the link types of its site."""

    async def follow(site: SiteAccess, types: Sequence[LinkType]) -> None:
        await link_types.follow(database, site.id, types)

    return follow


def _locker(database: Database, clock: Clock) -> Tell:
    """Where a client says that its site wants a person, for all other processes and for people."""

    async def tell(site: SiteAccess) -> None:
        async with database.transaction() as conn:
            if await stored_sites.record_lock(conn, site.id, site.version, clock()):
                _LOG.warning("site_locked", site=site.name)

    return tell


def _limits(redis: Redis | None) -> tuple[Budget, Circuit]:
    """Shared by all processes where they have Redis."""
    if redis is None:
        return LocalBudget(), LocalCircuit()
    return SharedBudget(redis), SharedCircuit(redis)


async def _open_redis(settings: Settings, stack: AsyncExitStack) -> Redis | None:
    """Connects when it is first used."""
    if settings.redis_url is None:
        return None
    redis: Redis = Redis.from_url(
        settings.redis_url.get_secret_value(), socket_timeout=1, socket_connect_timeout=1
    )
    stack.push_async_callback(redis.aclose)
    return redis


def _open_wake(settings: Settings, metrics: Metrics) -> Wake:
    queue: Queue = Nowhere()
    if settings.redis_url is not None:
        queue = ArqQueue(settings.redis_url.get_secret_value())
    return Wake(queue, report=metrics.redis_up.set)
