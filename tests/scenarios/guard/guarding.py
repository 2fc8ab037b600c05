"""What every test of the guard does: build links to lose, look at what is held, decide."""

from typing import Any

from app.sandbox import Link
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.guard import held_plans as plans_held
from app.sync.guard import held_plans
from app.sync.recovery import restore
from tests.scenarios.conftest import Build, Duo
from tests.support.engine import ACCOUNT


def removals(duo: Duo) -> int:
    return len(duo.right.jira.mutations.select("removed", ACCOUNT))


async def chain(build: Build, links: int, **changes: Any) -> tuple[Duo, list[Link]]:
    """So many managed links, no two of them at the same issue."""
    duo = await build(issues=2 * links + 2, **changes)
    made = [duo.ann.link(f"P-{2 * n + 1}", "Blocks", f"P-{2 * n + 2}") for n in range(links)]
    await duo.world.settle()
    assert len(duo.right.ours) == links
    return duo, made


async def hub(build: Build, links: int, beside: int = 3) -> tuple[Duo, list[Link]]:
    """So many links at P-1, and some others elsewhere."""
    duo = await build(issues=links + 1 + 2 * beside)
    made = [duo.ann.link("P-1", "Blocks", f"P-{n + 2}") for n in range(links)]
    for n in range(beside):
        duo.ann.link(f"P-{links + 2 + 2 * n}", "Blocks", f"P-{links + 3 + 2 * n}")
    await duo.world.settle()
    assert len(duo.right.ours) == links + beside
    return duo, made


async def state_of(duo: Duo) -> Running:
    async with duo.world.database.connection() as conn:
        state = await active_connection.load(conn, duo.connection)
    assert state is not None
    return state


async def waits_for(duo: Duo) -> list[str]:
    return [it["evidence"]["held_for"] for it in await duo.world.held() if it["result"] is None]


async def decide(duo: Duo, what: str) -> None:
    """Approve or reject all that waits, and see it done."""
    await planned(duo)
    waiting = await duo.world.rows(
        "SELECT id FROM plans WHERE connection_id = ANY($1::bigint[]) AND status = 'held'"
    )
    for plan in waiting:
        async with duo.world.database.connection() as conn:
            digest = (await plans_held.value(conn, plan["id"])).digest
        call = held_plans.approve if what == "approve" else held_plans.reject
        await call(duo.world.database, plan["id"], digest, by="ann", note="", now=duo.world.now())
    await duo.world.settle()
    while await restore.run_once(duo.world.ctx):
        await duo.world.settle()
    await held_plans.run_once(duo.world.ctx)
    await duo.world.settle()


async def planned(duo: Duo) -> None:
    """Whatever has gathered is sealed."""
    duo.world.clock.tick(60)
    await held_plans.run_once(duo.world.ctx)
    while await restore.plan_once(duo.world.ctx):
        pass
