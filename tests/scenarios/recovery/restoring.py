"""What every test of restores does: ask, plan, approve, apply."""

from typing import Any

from app.store.recovery.restore_select import Filters
from app.sync.guard import held_plans
from app.sync.recovery import restore
from tests.scenarios.conftest import Duo
from tests.support.engine import World

EVERYTHING = Filters()


async def ask(
    world: World, operation: str = "remove", filters: Filters = EVERYTHING, **asked: Any
) -> int:
    """Asked for and planned; answers the plan's id."""
    _, plan_id = await restore.request(
        world.database, operation, filters, asked=asked, requested_by="ann", now=world.now()
    )
    await planned(world)
    return plan_id


async def planned(world: World) -> None:
    """A plan that is not sealed by now cannot be: there is nothing left to ask."""
    while await restore.run_once(world.ctx):
        pass


async def approve(world: World, plan_id: int) -> None:
    plan = await plan_of(world, plan_id)
    await held_plans.approve(
        world.database, plan_id, plan["digest"], by="ann", note="", now=world.now()
    )


async def apply(world: World, plan_id: int) -> dict[str, str]:
    """Approved and applied to its end, whatever has to be waited for; its results."""
    await approve(world, plan_id)
    await finish(world, plan_id)
    return await results(world, plan_id)


async def finish(world: World, plan_id: int, *, passes: int = 100) -> None:
    for _ in range(passes):
        await restore.run_once(world.ctx)
        if (await plan_of(world, plan_id))["status"] == "applied":
            return
        await world.settle()
        due = await world.rows(
            """SELECT min(x.due_at) AS at FROM plan_changes x JOIN plans p ON p.id = x.plan_id
               WHERE x.result IS NULL AND p.connection_id = ANY($1::bigint[])
                 AND p.status = 'applying'"""
        )
        if due[0]["at"] is not None:
            world.clock.set(max(world.clock.now(), due[0]["at"].timestamp()) + 0.001)
    raise AssertionError("never applied", await results(world, plan_id))


async def plan_of(world: World, plan_id: int) -> dict[str, Any]:
    found = await world.rows("SELECT * FROM plans WHERE connection_id = ANY($1::bigint[])")
    return next(it for it in found if it["id"] == plan_id)


async def changes(world: World, plan_id: int) -> list[dict[str, Any]]:
    found = await world.rows(
        """SELECT x.* FROM plan_changes x JOIN plans p ON p.id = x.plan_id
           WHERE p.connection_id = ANY($1::bigint[]) ORDER BY x.source_key, x.destination_key"""
    )
    return [it for it in found if it["plan_id"] == plan_id]


async def results(world: World, plan_id: int) -> dict[str, str]:
    """By the ends of each link."""
    return {
        f"{it['source_key']} {it['destination_key']}": it["result"]
        for it in await changes(world, plan_id)
    }


async def removed(duo: Duo, source: str = "P-1", name: str = "Blocks", to: str = "P-2") -> None:
    """A link that was mirrored, and then removed on both sides."""
    origin = await duo.mirrored(source, name, to)
    duo.ann.unlink(origin)
    await duo.world.settle()
