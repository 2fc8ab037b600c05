"""An approval ends with a long pause: what it let go waits for a decision again."""

from app.core.config import GuardLimits, WindowLimits
from app.store.config import connections
from app.sync.connections.switches import Switches
from app.sync.guard import held_plans
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.guard.guarding import chain, planned, removals

TIGHT = GuardLimits(WindowLimits(0.01, 10, 10), WindowLimits(0.05, 20, 20))


async def test_an_approval_is_void_after_a_pause_of_more_than_a_day(build: Build) -> None:
    duo, plan = await four_held(build)
    async with duo.world.database.connection() as conn:
        row = await connections.by_id(conn, duo.connection)
    assert row is not None
    await approve(duo, plan)
    switches = Switches(duo.world.database, _compare, lambda: None)
    await switches.pause(row.name, by="ann", now=duo.world.now())
    duo.world.clock.tick(2 * 86_400)
    await switches.resume(row.name, by="ann", now=duo.world.now())
    await duo.world.settle()
    assert removals(duo) == 10, "none of the four that were approved before the pause"
    assert await _status(duo, plan) == ("held", None)


async def test_a_revoked_approval_applies_nothing_more(build: Build) -> None:
    duo, plan = await four_held(build)
    await approve(duo, plan)
    while removals(duo) == 10:
        await duo.world.look(size=1)
    database, now = duo.world.database, duo.world.now()
    await held_plans.revoke(database, plan, by="bob", note="wrong links", now=now)
    await duo.world.settle()
    await held_plans.run_once(duo.world.ctx)
    assert removals(duo) == 11, "what was applied stays applied"
    assert await _status(duo, plan) == ("held", None)
    await approve(duo, plan)
    await duo.world.settle()
    assert removals(duo) == 14


async def test_an_approval_ends_with_its_plans_time(build: Build) -> None:
    duo, plan = await four_held(build)
    await approve(duo, plan)
    while removals(duo) == 10:
        await duo.world.look(size=1)
    duo.world.clock.tick(8 * 86_400)
    await held_plans.run_once(duo.world.ctx)
    await duo.world.settle()
    assert removals(duo) == 11
    assert (await _status(duo, plan))[0] == "expired"
    results = [it["result"] for it in await duo.world.held() if it["plan_id"] == plan]
    assert results.count("expired") == 3
    await planned(duo)
    waiting = [it for it in await duo.world.held() if it["status"] == "held"]
    assert len(waiting) == 3, "held again, in a plan of today"


async def four_held(build: Build) -> tuple[Duo, int]:
    """Fourteen origins are removed, and the guard lets ten of their mirrors go."""
    duo, origins = await chain(build, 16, guard=TIGHT)
    for link in origins[:14]:
        duo.ann.unlink(link)
    await duo.world.settle()
    await planned(duo)
    [plan] = await duo.world.rows("SELECT id FROM plans WHERE connection_id = ANY($1::bigint[])")
    assert removals(duo) == 10
    return duo, plan["id"]


async def approve(duo: Duo, plan: int) -> None:
    async with duo.world.database.connection() as conn:
        [row] = await conn.fetch("SELECT digest FROM plans WHERE id = $1", plan)
    digest, now = row["digest"], duo.world.now()
    await held_plans.approve(duo.world.database, plan, digest, by="ann", note="", now=now)


async def _compare(*_: object, **__: object) -> int:
    raise AssertionError("a pause compares nothing by itself")


async def _status(duo: Duo, plan: int) -> tuple[str, str | None]:
    [row] = await duo.world.rows(
        f"SELECT * FROM plans WHERE id = {plan} AND connection_id = ANY($1::bigint[])"  # noqa: S608
    )
    return row["status"], row["decided_by"]
