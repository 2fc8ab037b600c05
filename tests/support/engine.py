"""The real engine on a real database and sandbox sites in process, under one clock.

`Lab` holds what a whole test run shares; a `World` is one set of sites and connections in it.
Webhooks go through the real inbox. Time passes only by a millisecond whenever it is read.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx

from app.core.config import ConnectionConfig, Mode
from app.core.links import IssueId, IssueKey, IssueRef, LinkType, TypeId
from app.jira.client import JiraClient, Options
from app.jira.http.access import BasicAuth, BearerAuth, SiteAccess
from app.jira.rates.circuit import Circuit
from app.sandbox import JiraSite, ManualClock, Person, SiteApp, listen, token_of
from app.sandbox.people import person_on
from app.store.config import connections, site_types, sites
from app.store.config.sites import Pins, SiteValues
from app.store.links import twins
from app.store.pool import Database, open_pool
from app.store.queue import work
from app.store.queue.work import Cause
from app.store.secret_homes import Home
from app.sync.ingest.inbox import Inbox
from app.sync.ingest.wakeups import Wake
from app.sync.reconcile import loop
from app.sync.runtime.context import Context
from app.sync.runtime.jira_clients import Sites
from app.sync.sites import link_types
from app.sync.writes import confirm, late_writes
from app.telemetry import Metrics

ACCOUNT = "twinlink"
SECOND_ACCOUNT = "twinlink-2"
OUR_ACCOUNTS = (ACCOUNT, SECOND_ACCOUNT)
SECRET = "webhook-secret"
LEASE = 60.0
_SERIAL = count(1)


class Plain:
    """A vault that seals nothing, because links are tested here, not credentials."""

    def open(self, sealed: bytes, _home: Home, _column: str, /) -> str:
        return sealed.decode()


class Nowhere:
    """Wake-ups are not needed: the test is the worker."""

    async def put(self) -> bool:
        return True

    async def aclose(self) -> None:
        return None


@dataclass(slots=True)
class Station:
    """One site: the Jira, and its id in the store."""

    jira: JiraSite
    app: SiteApp
    access: SiteAccess

    @property
    def id(self) -> int:
        return self.access.id

    def person(self, name: str = "ann") -> Person:
        return person_on(self.jira, name)

    def type(self, name: str) -> LinkType:
        made = self.jira.link_type(name)
        return LinkType(TypeId(str(made.id)), made.name, made.inward, made.outward)

    def ref(self, key: str) -> IssueRef:
        found = self.jira.issue(key)
        return IssueRef(IssueId(str(found.id)), IssueKey(found.key))

    @property
    def ours(self) -> set[int]:
        """Existing links that an account of ours made, by the site's own log. Where a site went
        back in time and gave an id out again, the account that made it last counts."""
        makers = {entry.link_id: entry.actor for entry in self.jira.mutations.select("created")}
        return {it for it in self.jira.links if makers[it] in OUR_ACCOUNTS}


@dataclass(slots=True)
class World:
    """Sites, connections and the worker. Parts are added, never taken away."""

    database: Database
    clock: ManualClock
    stations: dict[str, Station] = field(default_factory=dict)
    connections: list[int] = field(default_factory=list)

    circuit: Circuit | None = None
    """Of every client that is made from now on."""

    serial: int = field(default_factory=lambda: next(_SERIAL))
    sites: Sites = field(init=False)
    ctx: Context = field(init=False)
    wake: Wake = field(init=False)
    inbox: Inbox = field(init=False)

    def __post_init__(self) -> None:
        self.sites = Sites(self._access, self._client)
        self.ctx = Context(self.database, self.sites, Metrics(), self.now, "twinlink/test")
        self.wake = Wake(Nowhere(), gap=0)
        self.inbox = Inbox.on(
            self.database,
            Plain(),
            self.wake,
            metrics=self.ctx.metrics,
            clock=self.now,
            window=0,
        )

    def now(self) -> datetime:
        """Our clock; the sites share it. No two answers are the same instant."""
        self.clock.tick(0.001)
        return datetime.fromtimestamp(self.clock.now(), UTC)

    def worker(self) -> Context:
        """As another process: it shares only the database and the sites."""
        return replace(self.ctx, sites=Sites(self._access, self._client))

    async def aclose(self) -> None:
        await self.inbox.aclose()
        await self.wake.aclose()
        await self.sites.aclose()
        async with self.database.transaction() as conn:
            # The next world in this database must not find work of this one.
            await conn.execute(
                "DELETE FROM twins WHERE connection_id = ANY($1::bigint[])", self.connections
            )
            await conn.execute(
                """UPDATE intents SET state = 'failed', outcome = 'test over', closed_at = $2
                   WHERE state = 'open' AND connection_id = ANY($1::bigint[])""",
                self.connections,
                self.now(),
            )
            await conn.execute(
                """UPDATE restores SET failure = 'test over', failed_at = $2 WHERE sealed_at IS NULL
                   AND plan_id IN (SELECT id FROM plans WHERE connection_id = ANY($1::bigint[]))""",
                self.connections,
                self.now(),
            )
            await conn.execute(
                """UPDATE plans SET status = 'expired' WHERE connection_id = ANY($1::bigint[])
                   AND status IN ('gathering', 'held', 'approved', 'applying')""",
                self.connections,
            )
            await conn.execute(
                "DELETE FROM vanished_mirrors WHERE connection_id = ANY($1::bigint[])",
                self.connections,
            )

    # -- building

    async def add_site(self, name: str, jira: JiraSite) -> Station:
        """Add a site: pinned, with its link types, and with webhooks that lead to our inbox."""
        stored = f"{name}-{self.serial}"
        token = token_of(jira, ACCOUNT)
        cloud = jira.flavour == "cloud"
        auth = BasicAuth(jira.user(ACCOUNT).email, token) if cloud else BearerAuth(token)
        app = SiteApp(jira)
        access = SiteAccess(0, stored, jira.base_url, jira.flavour, auth)
        client = JiraClient(access, Options(now=self.now), http=httpx.ASGITransport(app=app))
        pins = Pins(await client.identity(), await client.myself())
        types = await client.link_types()
        await client.aclose()
        kind: Any = "basic" if cloud else "bearer"
        values = SiteValues(
            jira.base_url, None, jira.flavour, kind, b"", SECRET.encode(), None, None,
            account_dedicated=True,
        )  # fmt: skip
        async with self.database.transaction() as conn:
            site_id = await sites.insert(conn, stored, values, pins, self.now())
            assert site_id is not None
            await site_types.replace(conn, site_id, types)
        access = replace(
            access, id=site_id, identity=pins.identity, account_id=pins.account_id, version=1
        )
        listen(jira, f"https://twinlink.invalid/webhooks/jira/{stored}", SECRET)
        self.stations[name] = Station(jira, app, access)
        return self.stations[name]

    async def connect(
        self, left: str, right: str, config: ConnectionConfig, mode: Mode = Mode.LIVE
    ) -> int:
        name = f"{left}-{right}-{self.serial}-{len(self.connections)}"
        ends = self.stations[left].id, self.stations[right].id
        async with self.database.transaction() as conn:
            made = await connections.insert(conn, name, ends, config, author="test", now=self.now())
            await connections.set_mode(conn, made, mode)
        self.connections.append(made)
        return made

    async def pair(self, connection: int, left: tuple[str, str], right: tuple[str, str]) -> int:
        """Pair two issues given as (station, key), and ask for a look at them."""
        (l_name, l_key), (r_name, r_key) = left, right
        one, other = self.stations[l_name], self.stations[r_name]
        async with self.database.transaction() as conn:
            made = await twins.insert(
                conn, connection, (one.id, other.id), one.ref(l_key), other.ref(r_key),
                source="api", now=self.now(),
            )  # fmt: skip
            assert made is not None
            await work.raise_pairs(conn, connection, [made], cause=Cause("twin"), now=self.now())
        return made

    # -- running

    async def deliver(self) -> int:
        """Hand every webhook that is due to the inbox, as Jira would."""
        sent = 0
        for station in self.stations.values():
            outbox = station.jira.outbox
            for delivery in outbox.pop_due():
                headers = outbox.headers(delivery)
                sender = await self.inbox.sender(station.access.name)
                await self.inbox.receive(
                    sender,
                    delivery.body,
                    signature=headers.get("X-Hub-Signature"),
                    authorization=headers.get("Authorization"),
                    identifier=headers.get("X-Atlassian-Webhook-Identifier"),
                )
                outbox.settle(delivery, 202)
                sent += 1
        return sent

    async def look(self, size: int = 100) -> int:
        """One pass of a worker; answers how many pairs it took."""
        return (await loop.run_once(self.ctx, size=size, lease=LEASE)).claimed

    async def resync(self, *, bulk: bool = True) -> None:
        """Ask for a look at every pair of every connection."""
        async with self.database.transaction() as conn:
            for connection in self.connections:
                ids = await twins.page(conn, connection, after=0, limit=1000)
                cause = Cause("resync", "0")
                await work.raise_pairs(
                    conn, connection, ids, cause=cause, now=self.now(), bulk=bulk
                )

    async def settle(self, *, passes: int = 300) -> None:
        """Deliver, look and confirm until nothing is due any more, letting time pass."""
        for _ in range(passes):
            busy = await self.deliver() + await self.look() + await confirm.run_once(self.ctx)
            busy += await late_writes.run_once(self.ctx)
            if busy:
                continue
            due = await self.next_due()
            if due is None:
                return
            self.clock.set(due + 0.001)
        raise AssertionError("it never comes to rest", await self.unsettled())

    async def next_due(self) -> float | None:
        """When work, a confirmation or a delivery is due next."""
        async with self.database.connection() as conn:
            at = await conn.fetchval(
                """
                SELECT min(at) FROM (
                    SELECT greatest(w.due_at, w.lease_until) AS at FROM work w
                    JOIN connections c ON c.id = w.connection_id AND c.paused_at IS NULL
                    WHERE w.connection_id = ANY($1::bigint[]) AND w.generation > w.done
                      AND w.failed_at IS NULL
                    UNION ALL
                    SELECT confirm_after FROM intents
                    WHERE connection_id = ANY($1::bigint[]) AND state = 'open') due
                """,
                self.connections,
            )
        times = [it.jira.outbox.next_due() for it in self.stations.values()]
        times.append(at.timestamp() if at else None)
        return min((it for it in times if it is not None), default=None)

    async def unsettled(self) -> list[dict[str, Any]]:
        return await self.rows(
            """SELECT twin_id, tries, waiting, failure, due_at FROM work
               WHERE connection_id = ANY($1::bigint[]) AND generation > done"""
        )

    # -- reading

    async def rows(self, query: str) -> list[dict[str, Any]]:
        """The rows of a query whose `$1` is this world's connections."""
        async with self.database.connection() as conn:
            return [dict(row) for row in await conn.fetch(query, self.connections)]

    async def ledger(self, connection: int | None = None) -> list[dict[str, Any]]:
        found = await self.rows(
            """SELECT * FROM ledger WHERE connection_id = ANY($1::bigint[])
               AND state <> 'released' ORDER BY id"""
        )
        return [it for it in found if connection in (None, it["connection_id"])]

    async def states(self) -> list[str]:
        return [it["state"] for it in await self.ledger()]

    async def audit(self) -> list[dict[str, Any]]:
        return await self.rows(
            "SELECT * FROM audit WHERE connection_id = ANY($1::bigint[]) ORDER BY id"
        )

    async def held(self) -> list[dict[str, Any]]:
        return await self.rows(
            """SELECT c.*, p.status FROM plan_changes c JOIN plans p ON p.id = c.plan_id
               WHERE p.connection_id = ANY($1::bigint[]) AND p.kind = 'removals'
               ORDER BY c.link_id"""
        )

    async def withheld(self) -> list[dict[str, Any]]:
        """Mirrors that vanished beyond the guard's limit."""
        return await self.rows(
            """SELECT * FROM vanished_mirrors
               WHERE connection_id = ANY($1::bigint[]) AND counted_at IS NULL"""
        )

    async def execute(self, query: str, *args: Any) -> None:
        async with self.database.transaction() as conn:
            await conn.execute(query, *args)

    # -- inside

    async def _access(self, site_id: int) -> SiteAccess:
        access = next(it.access for it in self.stations.values() if it.id == site_id)
        async with self.database.connection() as conn:
            row = await sites.by_id(conn, site_id)
        assert row is not None
        return replace(access, version=row.version, locked=row.locked_since is not None)

    def _client(self, access: SiteAccess) -> JiraClient:
        app = next(it.app for it in self.stations.values() if it.id == access.id)
        http = httpx.ASGITransport(app=app)
        options = Options(
            circuit=self.circuit, types=self._renamed, locked=self._locked, now=self.now
        )
        return JiraClient(access, options, http=http)

    async def _renamed(self, site: SiteAccess, types: Sequence[LinkType]) -> None:
        await link_types.follow(self.database, site.id, types)

    async def _locked(self, site: SiteAccess) -> None:
        async with self.database.transaction() as conn:
            await sites.record_lock(conn, site.id, site.version, self.now())


@dataclass(slots=True)
class Lab:
    """One database for many worlds."""

    database: Database

    def world(self, clock: ManualClock | None = None) -> World:
        return World(self.database, clock or ManualClock())


@asynccontextmanager
async def open_lab(db_url: str) -> AsyncIterator[Lab]:
    pool = await open_pool(db_url, low=1, high=6)
    database = Database(pool)
    try:
        yield Lab(database)
    finally:
        await database.close()
