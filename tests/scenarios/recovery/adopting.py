"""A world that another sync product mirrored, and what adopts it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.sandbox import Link, Person
from app.store.guard import held_plans
from app.store.guard.held_plans import HeldPlan
from app.sync.guard import held_plans as plans
from app.sync.recovery import adopt
from tests.scenarios.conftest import Duo

SYNC = "othersync"


@dataclass(slots=True)
class Former:
    """The product that was there before us: one account, of the same id on both sites."""

    duo: Duo
    began: datetime

    @classmethod
    def at(cls, duo: Duo) -> "Former":
        for station in (duo.left, duo.right):
            station.jira.add_user(SYNC)
            user = station.jira.user(SYNC)
            user.account_id = user.key = SYNC
        began = duo.world.now()
        # Jira's times have milliseconds only: what is made from here on is made later.
        duo.world.clock.tick(1)
        return cls(duo, began)

    def by(self, side: str) -> Person:
        return (self.duo.left if side == "left" else self.duo.right).person(SYNC)

    def mirrored(
        self, one: Person, other: Person, left: str, name: str, to: str
    ) -> tuple[Link, Link]:
        """*one* links on the left, *other* on the right: twins of these issues."""
        twins = {"P-1": "P-2", "P-2": "P-3", "P-3": "P-1", "P-4": "P-4"}
        made = one.link(left, name, to)
        self.duo.world.clock.tick(1)
        return made, other.link(twins[left], name, twins[to])

    async def adopt(
        self,
        account: str = SYNC,
        *,
        hours: float = 1,
        since: datetime | None = None,
        confirmed: bool = False,
    ) -> int:
        """Ask, and have it planned; the plan's id."""
        now = self.duo.world.now()
        _, plan_id = await adopt.request(
            self.duo.world.database,
            self.duo.connection,
            account,
            since=since or self.began,
            until=now + timedelta(hours=hours),
            confirmed=confirmed,
            requested_by="tests",
            now=now,
        )
        await adopt.run_once(self.duo.world.ctx)
        return plan_id

    async def plan(self, plan_id: int) -> HeldPlan:
        async with self.duo.world.database.transaction() as conn:
            found = await held_plans.lock(conn, plan_id)
        assert found is not None
        return found

    async def approve(self, plan_id: int, *, apply: bool = True) -> None:
        digest = (await self.plan(plan_id)).digest
        assert digest is not None
        now = self.duo.world.now()
        for by in ("ann", "boss"):
            await plans.approve(self.duo.world.database, plan_id, digest, by=by, note="", now=now)
        if apply:
            await adopt.run_once(self.duo.world.ctx)

    async def changes(self, plan_id: int) -> list[dict[str, Any]]:
        async with self.duo.world.database.connection() as conn:
            rows = await conn.fetch(
                "SELECT * FROM plan_changes WHERE plan_id = $1 ORDER BY site_id, link_id", plan_id
            )
        return [dict(row) for row in rows]

    async def results(self, plan_id: int) -> dict[int, str | None]:
        """What became of each pair, by the link that is or would be its mirror."""
        return {it["link_id"]: it["result"] for it in await self.changes(plan_id)}
