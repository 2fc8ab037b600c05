"""How a story comes to rest, and what must hold then."""

from collections.abc import Coroutine
from math import inf
from typing import Any, cast

from app.core.config import Mode
from app.core.links import Side
from app.sync.connections.switches import Switches
from app.sync.guard import held_plans
from app.sync.reconcile import loop
from app.sync.recovery import restore
from app.sync.resync import walk
from app.sync.writes import confirm, late_writes
from tests.simulation import oracle
from tests.simulation.acts_owners import acknowledge
from tests.simulation.ground import Ground
from tests.simulation.house import Worker
from tests.simulation.rest import Key, Rest, resting
from tests.simulation.service import LEASE, Service
from tests.simulation.watch import Watch
from tests.support.engine import OUR_ACCOUNTS

A_DAY = 90_000.0
_DUE = """
    SELECT duty, min(at) AS at FROM (
    SELECT 'look' AS duty, greatest(w.due_at, w.lease_until) AS at FROM work w
    JOIN connections c ON c.id = w.connection_id AND c.paused_at IS NULL
    WHERE w.generation > w.done AND w.failed_at IS NULL
    UNION ALL SELECT 'confirm', confirm_after FROM intents WHERE state = 'open'
    UNION ALL SELECT 'correct', suspected_at FROM intents
    WHERE state IN ('noop', 'failed') AND suspected_at IS NOT NULL AND cleared_at IS NULL
    UNION ALL SELECT 'restore', coalesce(x.due_at, p.decided_at) FROM plan_changes x
    JOIN plans p ON p.id = x.plan_id AND p.status = 'applying'
        AND p.kind NOT IN ('removals', 'unpairings')
    JOIN connections c ON c.id = x.connection_id AND c.paused_at IS NULL
    WHERE x.result IS NULL
    UNION ALL SELECT 'restore', coalesce(lease_until, created_at) FROM restores
    WHERE sealed_at IS NULL AND failed_at IS NULL
    UNION ALL SELECT 'resync', coalesce(lease_until, created_at) FROM resyncs r
    WHERE status IN ('queued', 'running')
      AND NOT EXISTS (SELECT 1 FROM resync_pairs p JOIN work w USING (twin_id)
                      WHERE p.resync_id = r.id AND w.generation > w.done)
    UNION ALL SELECT 'held', created_at + interval '30 seconds' FROM plans
    WHERE status = 'gathering' AND kind IN ('removals', 'unpairings')
    UNION ALL SELECT 'held', p.decided_at FROM twins t
    JOIN plans p ON p.id = t.unpair_plan AND p.status = 'applying'
    UNION ALL SELECT 'held', v.plan_after FROM vanished_mirrors v
    LEFT JOIN plans p ON p.id = v.plan_id
    WHERE v.counted_at IS NULL AND (p.id IS NULL OR p.status = 'expired')) due GROUP BY duty
"""
"""What wants doing, by which duty, and from when on."""
_WENT_BACK = """
    SELECT EXISTS (SELECT 1 FROM incidents WHERE kind = 'site_went_back' AND state <> 'resolved')
"""


_MISCOUNTED = """
    SELECT * FROM (
        SELECT connection_id, 'links ' || state AS what, sum(n) AS off FROM (
            SELECT connection_id, state, links AS n FROM link_counts
            UNION ALL SELECT connection_id, state, -1 FROM ledger) l
        GROUP BY 1, 2
        UNION ALL SELECT connection_id, 'writes', sum(n) FROM (
            SELECT connection_id, created + 1000000 * removed AS n FROM write_minutes
            UNION ALL
            SELECT connection_id, CASE operation WHEN 'create' THEN -1 ELSE -1000000 END
            FROM intents WHERE state = 'applied') w
        GROUP BY 1) counts
    WHERE off <> 0"""


class Closing:
    """`hands`: a worker that nothing happens to."""

    def __init__(self, ground: Ground, service: Service, watch: Watch, hands: Worker) -> None:
        self.ground = ground
        self.world = ground.world
        self.service = service
        self.watch = watch
        self.hands = hands

    async def settle(self, passes: int) -> bool:
        """Deliver, look and confirm, letting time pass, until nothing is due or so many passes
        are over."""
        for _ in range(passes):
            self.service.mail_comes()
            await self.service.finish()
            due = await self._due()
            now = self.world.clock.now()
            for duty in sorted(name for name, at in due.items() if at <= now and name != "mail"):
                await self._do(self._duty(duty))
            await self.watch.ledger.look()
            if not due:
                # Plans that are being applied end by themselves once all looks have ended.
                await self._do(held_plans.run_once(self.hands.ctx))
                return True
            # No sooner than a worker's timers: what waits for another's lease is due all the time.
            self.world.clock.set(max(min(due.values()), now + 0.2) + 0.001)
        return False

    async def check(self) -> None:
        """The end of the story: everything heals, and then everything is compared."""
        await self.service.finish()
        self.service.mend()
        self.ground.heal()
        await self._wake()
        await self._must_settle("first")
        if self.ground.quiet_mail and not self._mail_was_lost():
            await self._events_were_enough()
        self.world.clock.tick(A_DAY)
        await self._compare()
        if not self.ground.quiet_mail:
            # The first may have moved issues and rows in or out of scope.
            await self._compare()
        oracle.untouched(self.world)
        await oracle.audited(self.world)
        await self._nothing_lost()
        await self._counted()
        await oracle.mirrors_equal_origins(self.world)
        before = await oracle.picture(self.world)
        await self._compare()
        after = await oracle.picture(self.world)
        assert after == before, "promise 9: a second pass plans something"

    # -- inside

    def _duty(self, name: str) -> Coroutine[Any, Any, Any]:
        ctx = self.hands.ctx
        if name == "look":
            return loop.run_once(ctx, size=100, lease=LEASE)
        duties = {
            "confirm": confirm, "correct": late_writes, "held": held_plans, "restore": restore,
            "resync": walk,
        }  # fmt: skip
        return cast("Coroutine[Any, Any, Any]", duties[name].run_once(ctx))

    async def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await self.hands.process.spawn("rest", lambda: work)

    async def _wake(self) -> None:
        """Every connection is live and goes on."""
        ctx = self.hands.ctx

        async def compare(connection_id: int, *, cause: str, by: str) -> int:
            return await walk.request(
                ctx.database, connection_id, twin_ids=None, dry_run=False, cause=cause,
                requested_by=by, now=ctx.clock(),
            )  # fmt: skip

        switches = Switches(ctx.database, compare, lambda: None)
        await self._do(acknowledge(ctx, switches))
        async with self.world.database.connection() as conn:
            names = [
                row["name"] for row in await conn.fetch("SELECT name FROM connections ORDER BY id")
            ]
        for name in names:
            await self._do(switches.resume(name, by="ann", now=ctx.clock()))
            await self._do(switches.mode(name, Mode.LIVE, by="ann", now=ctx.clock()))

    async def _must_settle(self, when: str) -> None:
        """Whenever a site turns out to have gone back, a person says so, and it goes on."""
        for _ in range(5):
            settled = await self.settle(250)
            async with self.world.database.connection() as conn:
                went_back = await conn.fetchval(_WENT_BACK)
            # A connection that was stopped in the middle of a resync rests only once it goes on.
            if not settled and not went_back:
                left = await self._due(), await self.world.unsettled()
                raise AssertionError(f"promise 9: it never comes to rest ({when}): {left}")
            if not went_back:
                return
            await self._wake()
        raise AssertionError(f"it goes back again and again ({when})")

    async def _compare(self) -> None:
        await self.world.resync()
        await self._must_settle("compare")

    def _mail_was_lost(self) -> bool:
        """Data Center does not deliver again what was not taken; Jira Cloud gives up in the end."""
        stations = self.world.stations.values()
        return any(it.outcome == "gave_up" for at in stations for it in at.jira.outbox.log)

    async def _events_were_enough(self) -> None:
        """Nothing was lost on the way, so without any comparison both sides are in step, but for
        what is shown as waiting or failed."""
        async with self.world.database.connection() as conn:
            shown = await conn.fetch(
                "SELECT twin_id FROM work WHERE waiting IS NOT NULL OR failed_at IS NOT NULL"
            )
        waiting = {row["twin_id"] for row in shown}
        for connection in self.world.connections:
            rest = await resting(self.world, connection)
            assert rest is not None
            for key in rest.keys():  # noqa: SIM118 - no mapping
                beside = key.name not in rest.rows and _left_beside_ours(rest, key)
                if not beside and waiting.isdisjoint((key.source.id, key.destination.id)):
                    rest.check_key(key)

    async def _nothing_lost(self) -> None:
        """What was answered with 202 is in the inbox, and no write is left open."""
        async with self.world.database.connection() as conn:
            rows = await conn.fetch("SELECT site_id, delivery, digest FROM inbox")
            open_ = await conn.fetch("SELECT id, outcome FROM intents WHERE state = 'open'")
        stored = {(row["site_id"], row["delivery"]) for row in rows}
        bodies = {(row["site_id"], row["digest"]) for row in rows}
        known = {it for it, body in self.watch.known.items() if (it[0], body) not in bodies}
        missing = (self.watch.receipts.keys() | known) - stored
        assert not missing, f"promise 4: accepted and lost: {sorted(missing)}"
        assert not open_, f"promise 3: never confirmed: {[dict(it) for it in open_]}"

    async def _counted(self) -> None:
        """What the guard judges by is kept counted: it is what a count finds."""
        async with self.world.database.connection() as conn:
            wrong = await conn.fetch(_MISCOUNTED)
        assert not wrong, f"promise 7: miscounted: {[dict(it) for it in wrong]}"

    async def _due(self) -> dict[str, float]:
        """When the first thing of each kind wants doing; empty at rest."""
        async with self.world.database.connection() as conn:
            rows = await conn.fetch(_DUE)
        due = {row["duty"]: row["at"].timestamp() for row in rows}
        for name, station in self.world.stations.items():
            at = station.jira.outbox.next_due()
            if at is not None:
                due["mail"] = min(due.get("mail", inf), at - self.ground.skews[name])
        return due


def _left_beside_ours(rest: Rest, key: Key) -> bool:
    """Somebody's link that stood beside our mirror (the other way round, of a type without
    direction) becomes an origin by the next comparison, once ours is removed or handed over."""
    return key.types.left.symmetric and any(
        key.ever_removed(rest.stations[side], side, by=OUR_ACCOUNTS)
        or len(key.ids(rest.stations[side], side)) > 1
        for side in Side
    )
