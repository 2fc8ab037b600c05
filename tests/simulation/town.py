"""What the machine's rules are made of: a small world, its people, and how it comes to rest."""

import asyncio
import contextlib
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from app.core.config import (
    Direction,
    GuardLimits,
    Mode,
    OnIssueDeleted,
    OnMirrorRemoved,
    WindowLimits,
)
from app.core.errors import PermanentError
from app.sandbox import ManualClock, Refusal
from app.store.config import active_connection, connections
from app.store.links import twins
from app.sync.guard import held_plans, unpairings
from app.sync.recovery import restore
from app.sync.writes import confirm, late_writes
from tests.simulation import oracle
from tests.support import mixed
from tests.support.crash import Died
from tests.support.engine import Lab, Station, World

T = TypeVar("T")
Made = tuple[str, str, tuple[int, int]]
"""Site, type, and the ends by number."""
Join = tuple[str, str, Direction, bool]
"""Left, right, direction, and whether Blocks is reversed."""
TWINNED = 3
"""Issues 0 to 2 of each site have twins, issue 3 has none."""
A_DAY = 90_000.0


class Town(RuleBasedStateMachine):
    """`limit`: how many removals any hour may see, or None where the guard is generous.

    `resets`: when the guard of each connection was armed with fresh windows. `sound` is False
    once something has failed: then nothing comes to rest, and the failure that is told is the
    first.
    """

    lab: ClassVar[Lab]
    runner: ClassVar[asyncio.Runner]
    limit: ClassVar[int | None] = None
    clock: ManualClock
    world: World
    resets: dict[int, list[datetime]]
    joins: list[Join]
    sound: bool

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        self.sound = False
        result = self.runner.run(work)
        self.sound = True
        return result

    def then(self, what: str) -> None:
        """What the engine does next: so that a run does not consist of people only."""
        if what == "look":
            self.run(self._work(100))
        elif what == "settle":
            self.run(self._settle())

    # -- building and naming

    async def _build(
        self,
        vanished: OnMirrorRemoved,
        deleted: OnIssueDeleted,
        before: list[Made],
    ) -> None:
        for name in sorted({end for it in self.joins for end in it[:2]}):
            flavour = "datacenter" if name == "m" else "cloud"
            jira = mixed.site(name, self.clock, flavour=flavour, issues=TWINNED + 1)  # type: ignore[arg-type]
            await self.world.add_site(name, jira)
        for name, kind, numbers in before:
            self._link(self._at(name), "ann", kind, numbers)
        guard = mixed.GENEROUS
        if self.limit is not None:
            tight = WindowLimits(0.001, self.limit, self.limit)
            guard = GuardLimits(tight, WindowLimits(0.5, 2000, 2000))
        for left, right, direction, turned in self.joins:
            made = await self.world.connect(
                left,
                right,
                mixed.config(
                    *(self.world.stations[name] for name in (left, right)),
                    direction=direction,
                    reversed_=turned,
                    guard=guard,
                    on_mirror_removed=vanished,
                    on_issue_deleted=deleted,
                ),
            )
            for number in range(TWINNED):
                await self._pair(made, left, right, number)

    async def _pair(self, connection: int, left: str, right: str, number: int) -> None:
        """Twins have other numbers on m, so that no side is mistaken for the other."""
        ends = [(name, self._key(name, number)) for name in (left, right)]
        if all(key is not None for _, key in ends):
            await self.world.pair(connection, *ends)  # type: ignore[arg-type]

    def _key(self, name: str, number: int) -> str | None:
        """The present key of an issue; None once it is deleted."""
        shifted = (number + (name == "m")) % TWINNED if number < TWINNED else number
        found = self.world.stations[name].jira.find(str(10000 + shifted))
        return found.key if found else None

    def _at(self, name: str) -> Station:
        """The station, or the first where this example has no such site."""
        return self.world.stations.get(name) or self.world.stations["l"]

    def _name(self, station: Station) -> str:
        return next(name for name, it in self.world.stations.items() if it is station)

    def _link(self, at: Station, who: str, kind: str, numbers: tuple[int, int]) -> None:
        ends = [self._key(self._name(at), number) for number in numbers]
        if None in ends:
            return
        self.clock.tick(0.002)
        with contextlib.suppress(Refusal):
            at.person(who).link(str(ends[0]), kind, str(ends[1]))

    def _unlink(self, at: Station, who: str, pick: int) -> tuple[str, str, str] | None:
        ours = at.ours
        links = sorted(at.jira.links, key=lambda it: (it in ours, it))
        if not links:
            return None
        link = at.jira.links[links[pick % len(links)]]
        ends = [at.jira.issues[end].key for end in (link.source, link.destination)]
        self.clock.tick(0.002)
        try:
            at.person(who).unlink(link)
        except Refusal:
            return None
        return ends[0], at.jira.types[link.type_id].name, ends[1]

    def _number(self, name: str, issue: int) -> int:
        """The inverse of `_key`."""
        at = issue - 10000
        return (at - (name == "m")) % TWINNED if at < TWINNED else at

    def _anew(self, at: Station, pick: int, turned: bool) -> None:
        ends = self._unlink(at, "ann", pick)
        if ends is not None:
            source, kind, to = ends
            self.clock.tick(0.002)
            if turned:
                source, to = to, source
            with contextlib.suppress(Refusal):
                at.person("bob").link(source, kind, to)

    # -- places and administrators

    def _relocate(self, at: Station, key: str, what: str) -> None:
        wanted = mixed.PROJECT if what == "back" else mixed.ELSEWHERE
        if what == "delete":
            at.person("root").delete(key)
        elif not key.startswith(f"{wanted}-"):
            at.person("root").move(key, wanted)

    def _unveil(self) -> None:
        for at in self.world.stations.values():
            at.jira.denied.clear()
            for issue in at.jira.issues.values():
                issue.hidden_from, issue.archived = frozenset(), False

    async def _unpair(self, connection: int, join: Join, number: int, *, back: bool) -> None:
        left, right = join[:2]
        async with self.world.database.connection() as conn:
            ids = await twins.page(conn, connection, after=0, limit=100)
            found = await twins.by_ids(conn, connection, ids)
        key = self._key(left, number)
        twin = next((it for it in found.values() if it.left.key == key), None)
        if twin is None:
            await self._pair(connection, left, right, number)
            return
        try:
            await unpairings.unpair(self.world.ctx, connection, twin.id, actor="test")
        except PermanentError as error:
            assert error.code == "write_in_progress"  # noqa: PT017
            return
        if back:
            await self._pair(connection, left, right, number)

    async def _set(self, connection: int, mode: Mode | None) -> None:
        """None pauses."""
        async with self.world.database.transaction() as conn:
            await active_connection.lock(conn, connection)
            at = self.world.now() if mode is None else None
            await connections.set_paused(conn, connection, at=at, by="test" if at else None)
            if mode is not None:
                await connections.set_mode(conn, connection, mode)

    # -- the engine

    async def _work(self, size: int) -> None:
        await self.world.deliver()
        try:
            await self.world.look(size)
            await self._upkeep()
        except Died:
            # Its claims run out; whatever else it had sent has ended by then.
            self.clock.tick(70)

    async def _settle(self) -> None:
        """As far as it does: what is broken or hidden now may never come to rest."""
        for _ in range(8):
            busy = await self.world.deliver() + await self.world.look()
            busy += await confirm.run_once(self.world.ctx)
            busy += await late_writes.run_once(self.world.ctx)
            busy += await self._upkeep()
            due = None if busy else await self.world.next_due()
            if due is not None:
                self.clock.set(due + 0.001)
            elif not busy:
                return

    async def _upkeep(self) -> int:
        """What else a worker does: seals, expires and applies plans."""
        busy = await held_plans.run_once(self.world.ctx)
        await self._note_resets()
        busy += await restore.apply_once(self.world.ctx)
        await self._note_resets()
        return busy

    async def _note_resets(self) -> None:
        """After every call that may arm a guard: none arms the same one twice."""
        rows = await self.world.rows(
            "SELECT id, guard_reset_at FROM connections WHERE id = ANY($1::bigint[])"
        )
        for row in rows:
            known = self.resets.setdefault(row["id"], [])
            if row["guard_reset_at"] not in known:
                known.append(row["guard_reset_at"])

    async def _no_open_writes(self) -> None:
        """An issue that goes while its link is being written stays unconfirmed: that is shown
        to people, and is no matter of this machine."""
        self._heal()
        for _ in range(40):
            due = await self.world.rows(
                """SELECT confirm_after FROM intents WHERE state = 'open'
                   AND connection_id = ANY($1::bigint[])"""
            )
            if not due:
                return
            self.clock.set(min(it["confirm_after"].timestamp() for it in due) + 0.001)
            await confirm.run_once(self.world.ctx)
        raise AssertionError("never confirmed", due)

    # -- coming to rest

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            if self.sound:
                self.runner.run(self._come_to_rest())
        finally:
            self.runner.run(self.world.aclose())

    def _heal(self) -> None:
        self._unveil()
        for at in self.world.stations.values():
            at.jira.faults.clear()
            at.jira.outbox.faults.clear()

    async def _come_to_rest(self) -> None:
        self._heal()
        for connection in self.world.connections:
            await self._set(connection, Mode.LIVE)
        # A link that was written too often to be touched again is looked at anew.
        self.clock.tick(A_DAY)
        await self._compare()
        if self.limit is None:
            await self._conclude()
            await self._compare()
        oracle.untouched(self.world)
        await oracle.audited(self.world)
        if self.limit is None:
            await oracle.mirrors_equal_origins(self.world)
        else:
            await oracle.within_limits(self.world, self.limit, self.resets)
        before = await oracle.picture(self.world)
        await self._compare()
        assert await oracle.picture(self.world) == before, "a second pass plans something"

    async def _conclude(self) -> None:
        """What people decide at last. Where there is no council nobody decides anything."""

    async def _compare(self) -> None:
        """Twice: the first may move issues and rows in or out of scope."""
        for _ in range(2):
            await self.world.resync()
            await self.world.settle()
