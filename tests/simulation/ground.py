"""The ground of one story: sites, connections, twins and links, all drawn from the seed."""

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from random import Random

import httpx

from app.core.config import (
    ConnectionConfig,
    Direction,
    GuardLimits,
    Mode,
    OnIssueDeleted,
    OnMirrorRemoved,
    WindowLimits,
)
from app.core.connection.projects import Pin
from app.core.links import AccountId, IssueRef, ProjectId, ProjectKey, Side
from app.core.twin_claims import LETTING_GO
from app.jira.client import JiraClient
from app.jira.http.access import BasicAuth, BearerAuth
from app.jira.http.options import Options
from app.sandbox import JiraSite, ManualClock, Refusal, issues, token_of
from app.sandbox.model import Project
from app.sandbox.people import person_on
from app.store.config import active_connection, project_pins
from app.store.links import twins
from app.store.pool import Connection, Database
from app.store.queue import work
from app.store.queue.work import Cause
from app.sync.twins.resume import resume
from tests.simulation.truth import BASE
from tests.simulation.virtual import BEGIN, VirtualLoop
from tests.support import mixed
from tests.support.engine import OUR_ACCOUNTS, SECOND_ACCOUNT, SECRET, World

Auth = BasicAuth | BearerAuth
Join = tuple[str, str, Direction, bool]
"""Left, right, direction, and whether Blocks is reversed."""
BOTH, FORWARD = Direction.BOTH, Direction.LEFT_TO_RIGHT
ONE: list[list[Join]] = [
    [("l", "m", BOTH, False)],
    [("l", "m", BOTH, True)],
    [("l", "m", FORWARD, False)],
]
TWO: list[list[Join]] = [
    [("l", "m", FORWARD, False), ("r", "m", FORWARD, False)],
    [("l", "m", BOTH, False), ("r", "m", BOTH, False)],
    [("l", "m", FORWARD, False), ("m", "r", FORWARD, False)],
]
THREE: list[list[Join]] = [
    [("l", "m", BOTH, False), ("m", "r", BOTH, False), ("l", "r", BOTH, False)],
    [("l", "m", FORWARD, False), ("m", "r", FORWARD, False), ("r", "l", FORWARD, False)],
]
TYPES = ("Blocks", "Blocks", "Blocks", "Relates", "Relates", "Tests")


class StoryClock(ManualClock):
    """The loop's virtual time as a date, for us or for a site whose clock is `skew` ahead."""

    def __init__(self, loop: VirtualLoop, skew: float = 0.0) -> None:
        super().__init__()
        self._loop = loop
        self._base = BASE + skew - BEGIN

    def now(self) -> float:
        return self._loop.now + self._base

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    def set(self, now: float) -> None:
        self._loop.now = max(self._loop.now, now - self._base)

    def tick(self, seconds: float) -> None:
        self._loop.now += seconds


@dataclass(slots=True)
class Ground:
    """`quiet_mail`: nothing is lost or hidden without a trace, so that events alone must bring
    both sides in step. `most`: removals that the guard lets go in an hour."""

    world: World
    random: Random
    joins: list[Join]
    twinned: int
    quiet_mail: bool
    most: int
    mode: Mode
    skews: dict[str, float] = field(default_factory=dict)
    accounts: dict[str, list[tuple[Auth, AccountId]]] = field(default_factory=dict)
    """Those of ours on each site, as sign-in and id."""

    # -- building

    @classmethod
    def drawn(cls, database: Database, loop: VirtualLoop, random: Random) -> "Ground":
        shapes = random.choice((ONE, ONE, TWO, TWO, THREE))
        tight = random.random() < 0.4
        return cls(
            World(database, StoryClock(loop), serial=1),
            random,
            random.choice(shapes),
            twinned=random.randint(4, 6),
            quiet_mail=random.random() < 0.5,
            most=random.randint(2, 3) if tight else 500,
            mode=random.choice((*[Mode.LIVE] * 8, Mode.REVIEW, Mode.CREATE_ONLY)),
        )

    async def build(self, loop: VirtualLoop) -> None:
        for name in sorted({end for it in self.joins for end in it[:2]}):
            self.skews[name] = self.random.choice((0.0, 0.0, -40.0, 3.5, 120.0))
            clock = StoryClock(loop, self.skews[name])
            flavour = "datacenter" if name == "m" else "cloud"
            context = self.random.choice(("", "/jira")) if name == "m" else ""
            jira = mixed.site(
                name,
                clock,
                flavour=flavour,  # type: ignore[arg-type]
                issues=self.twinned + 1,
                context=context,
            )
            jira.add_user(SECOND_ACCOUNT)
            await self.world.add_site(name, jira)
            self.accounts[name] = [await self._account(name, it) for it in OUR_ACCOUNTS]
            if name == "m":
                # Its nodes' clocks differ: what is written later may have an earlier time.
                jira.quirks.node_skew = self.random.choice((0.0, 0.0, 0.8, 2.0))
        self.links(self.random.randint(0, 3))
        for left, right, direction, turned in self.joins:
            made = await self.world.connect(
                left, right, self._config(left, right, direction, turned), self.mode
            )
            await self._pin(made, left, right)
            for number in range(self.twinned):
                await self.pair(made, left, right, number)
        self.links(self.random.randint(3, 9))

    async def _pin(self, connection: int, left: str, right: str) -> None:
        """As storing a connection does: Jira was asked about its projects."""
        async with self.world.database.transaction() as conn:
            for side in Side:
                project, key = self.project(side.pick(left, right)), ProjectKey(mixed.PROJECT)
                pin = Pin(key, ProjectId(str(project.id)), key)
                await project_pins.put(conn, connection, side, [pin], self.world.now())

    def _config(
        self, left: str, right: str, direction: Direction, turned: bool
    ) -> ConnectionConfig:
        guard = mixed.GENEROUS
        if self.most < 500:
            hour = WindowLimits(0.001, self.most, self.most)
            guard = GuardLimits(hour, WindowLimits(0.5, 2000, 2000))
        return mixed.config(
            self.world.stations[left],
            self.world.stations[right],
            direction=direction,
            reversed_=turned,
            guard=guard,
            on_mirror_removed=self.random.choice(list(OnMirrorRemoved)),
            on_issue_deleted=self.random.choice(list(OnIssueDeleted)),
        )

    async def _account(self, name: str, user: str) -> tuple[Auth, AccountId]:
        at = self.world.stations[name]
        token = token_of(at.jira, user)
        cloud = at.jira.flavour == "cloud"
        auth = BasicAuth(at.jira.user(user).email, token) if cloud else BearerAuth(token)
        http = httpx.ASGITransport(app=at.app)
        client = JiraClient(replace(at.access, auth=auth), Options(now=self.world.now), http=http)
        account = await client.myself()
        await client.aclose()
        return auth, account

    async def pair(self, connection: int, left: str, right: str, number: int) -> None:
        ends = [(name, self.key(name, number)) for name in (left, right)]
        if all(key is not None for _, key in ends):
            await self.world.pair(connection, *ends)  # type: ignore[arg-type]

    async def pair_on(
        self, database: Database, connection: int, left: str, right: str, number: int
    ) -> None:
        """As `pair`, through the database of a process; where an issue is taken, not at all."""
        keys = self.key(left, number), self.key(right, number)
        one, other = self.world.stations[left], self.world.stations[right]
        if keys[0] is None or keys[1] is None:
            return
        ends = one.ref(keys[0]), other.ref(keys[1])
        async with database.transaction() as conn:
            await active_connection.lock(conn, connection)
            made = await twins.insert(
                conn, connection, (one.id, other.id), *ends, source="api", now=self.world.now()
            )
            if made is None:
                made = await self._held_pair(conn, connection, ends)
            if made is not None:
                cause = Cause("twin")
                await work.raise_pairs(conn, connection, [made], cause=cause, now=self.world.now())

    async def _held_pair(
        self, conn: Connection, connection: int, ends: tuple[IssueRef, IssueRef]
    ) -> int | None:
        """Where the very pair waits for a decision, it goes on."""
        there = (await twins.by_issues(conn, connection, Side.LEFT, [ends[0].id])).get(ends[0].id)
        if there is None or there.right.id != ends[1].id or there.suspended != LETTING_GO:
            return None
        await resume(conn, connection, there.id, self.world.now())
        return there.id

    # -- naming

    @property
    def names(self) -> list[str]:
        return list(self.world.stations)

    def key(self, name: str, number: int) -> str | None:
        """The present key of an issue; None once it is deleted. Twins have other numbers on m,
        so that no side is mistaken for the other."""
        shift = number < self.twinned and name == "m"
        shifted = (number + 1) % self.twinned if shift else number
        found = self.world.stations[name].jira.find(str(10000 + shifted))
        return found.key if found else None

    def number(self, name: str, issue: int) -> int:
        """The inverse of `key`, by the issue's id."""
        at = issue - 10000
        return (at - 1) % self.twinned if name == "m" and at < self.twinned else at

    # -- people

    def links(self, count: int) -> None:
        for _ in range(count):
            self.someone_links(self.random)

    def someone_links(self, random: Random) -> str:
        """Mostly between issues with twins."""
        name, kind = random.choice(self.names), random.choice(TYPES)
        numbers = random.sample(range(self.twinned + (random.random() < 0.1)), 2)
        return self.link(name, random.choice(("ann", "bob")), kind, (numbers[0], numbers[1]))

    def link(self, name: str, who: str, kind: str, numbers: tuple[int, int]) -> str:
        source, to = (self.key(name, number) for number in numbers)
        if source is None or to is None:
            return "nobody"
        self.world.clock.tick(0.002)
        with contextlib.suppress(Refusal):
            made = self.world.stations[name].person(who).link(source, kind, to)
            return f"{name}: {who} links {source} {kind} {to} ({made.id})"
        return f"{name}: {who} may not link {source} {kind} {to}"

    def standing(self, name: str, *, ours: bool) -> list[int]:
        """Ids of links that stand there, made by our account or by others."""
        station = self.world.stations[name]
        return sorted(it for it in station.jira.links if (it in station.ours) is ours)

    def unlink(self, name: str, who: str, link_id: int) -> tuple[str, str, str] | None:
        """The ends and type of what went; None where that is not allowed."""
        jira = self.world.stations[name].jira
        link = jira.links[link_id]
        ends = [jira.issues[end].key for end in (link.source, link.destination)]
        self.world.clock.tick(0.002)
        try:
            person_on(jira, who).unlink(link)
        except Refusal:
            return None
        return ends[0], jira.types[link.type_id].name, ends[1]

    def project(self, name: str) -> Project:
        """The one in scope, whatever its key is now: the first that the site had."""
        jira = self.world.stations[name].jira
        return jira.projects[min(jira.projects)]

    def rename(self, name: str, key: str, *, forgotten: bool = False) -> None:
        jira = self.world.stations[name].jira
        issues.rename_project(jira, self.project(name), key, forgotten=forgotten)

    def unlock(self, name: str) -> None:
        """A person has solved the CAPTCHA there."""
        at = self.world.stations[name]
        if at.access.locked:
            at.access = replace(at.access, locked=False, version=at.access.version + 1)

    def heal(self) -> None:
        """Nothing misbehaves any more, and everything can be seen, under whatever keys."""
        for name, at in self.world.stations.items():
            self.unlock(name)
            at.jira.lag.search = 0.0
            for hook in at.jira.webhooks.values():
                hook.secret = SECRET
            self.unveil(at.jira)
            at.jira.faults.clear()
            at.jira.outbox.faults.clear()

    def unveil(self, jira: JiraSite) -> None:
        jira.denied.clear()
        for issue in jira.issues.values():
            issue.hidden_from, issue.archived = frozenset(), False
