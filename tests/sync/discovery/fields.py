"""A world of two sites whose left issues name their twins in a custom field."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from app.core.config import GuardLimits, Mode, TwinSource
from app.core.links import Side
from app.sandbox import Flavour, ManualClock
from app.sandbox.people import person_on
from app.sync.discovery import discover
from app.sync.resync import poll
from tests.support import mixed
from tests.support.engine import Station, World, open_lab


@dataclass(slots=True)
class FieldWorld:
    """`left` carries the field and has P-1 to P-6, on the right are P-2 to P-7; or as many as are
    asked for."""

    world: World
    left: Station
    right: Station
    connection: int
    field: str

    def claim(self, issue: str, text: str | None, person: str = "ann") -> None:
        """Somebody writes the twin field of a left issue."""
        self.left.person(person).edit(issue, **{self.field: text})

    async def discover(self, *, passes: int = 50) -> None:
        """Deliver and look at fields until nothing is due any more, letting no time pass."""
        for _ in range(passes):
            if not await self.world.deliver() + await discover.run_once(self.world.ctx):
                return
        raise AssertionError("discovery never comes to rest", await self.discoveries())

    async def poll(self) -> int:
        """Poll both sites, due or not."""
        await self.world.execute("UPDATE sites SET poll_due_at = to_timestamp(0)")
        return await poll.run_once(self.world.ctx)

    async def pairs(self) -> dict[str, str]:
        return {it["left_key"]: it["right_key"] for it in await self.twins()}

    async def twins(self) -> list[dict[str, Any]]:
        return await self.world.rows(
            "SELECT * FROM twins WHERE connection_id = ANY($1::bigint[]) ORDER BY id"
        )

    async def claims(self) -> dict[str, str]:
        rows = await self.world.rows(
            "SELECT * FROM twin_claims WHERE connection_id = ANY($1::bigint[])"
        )
        return {it["issue_key"]: it["status"] for it in rows}

    async def discoveries(self) -> list[dict[str, Any]]:
        return await self.world.rows(
            "SELECT * FROM discoveries WHERE connection_id = ANY($1::bigint[]) ORDER BY issue_id"
        )

    def let_pass(self, seconds: float) -> None:
        self.world.clock.tick(seconds)


@asynccontextmanager
async def open_fields(
    db_url: str,
    flavour: Flavour = "cloud",
    *,
    issues: int = 6,
    guard: GuardLimits = mixed.GENEROUS,
) -> AsyncIterator[FieldWorld]:
    clock = ManualClock()
    left = mixed.site("left", clock, flavour=flavour, issues=issues)
    right = mixed.site("right", clock, flavour=flavour, issues=1)
    person_on(right, "ann").delete("P-1")  # so that no issue has its twin's id
    for number in range(issues):
        person_on(right, "ann").create(mixed.PROJECT, f"Twin {number}")
    field = left.add_custom_field("Twin").id
    async with open_lab(db_url) as lab:
        world = lab.world(clock)
        try:
            here, there = await world.add_site("left", left), await world.add_site("right", right)
            plain = mixed.config(here, there, guard=guard)
            config = replace(plain, twins=TwinSource("field", Side.LEFT, field))
            connection = await world.connect("left", "right", config, Mode.LIVE)
            yield FieldWorld(world, here, there, connection, field)
        finally:
            await world.aclose()
