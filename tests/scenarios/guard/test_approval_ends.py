"""An approval ends with a long pause: what it let go waits for a decision again."""

from app.core.config import GuardLimits, WindowLimits
from app.store.config import connections
from app.store.guard import held_plans as stored
from app.sync.connections.switches import Switches
from app.sync.guard import held_plans
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.guard.guarding import chain, planned, removals

TIGHT = GuardLimits(WindowLimits(0.01, 10, 10), WindowLimits(0.05, 20, 20))


async def test_an_approval_is_void_after_a_pause_of_more_than_a_day(build: Build) -> None:
    duo, origins = await chain(build, 16, guard=TIGHT)
    for link in origins[:14]:
        duo.ann.unlink(link)
    await duo.world.settle()
    await planned(duo)
    [plan] = await duo.world.rows("SELECT id FROM plans WHERE connection_id = ANY($1::bigint[])")
    async with duo.world.database.connection() as conn:
        row = await connections.by_id(conn, duo.connection)
        digest = (await stored.value(conn, plan["id"])).digest
    assert row is not None
    now = duo.world.now()
    await held_plans.approve(duo.world.database, plan["id"], digest, by="ann", note="", now=now)
    switches = Switches(duo.world.database, _compare, lambda: None)
    await switches.pause(row.name, by="ann", now=duo.world.now())
    duo.world.clock.tick(2 * 86_400)
    await switches.resume(row.name, by="ann", now=duo.world.now())
    await duo.world.settle()
    assert removals(duo) == 10, "none of the four that were approved before the pause"
    assert await _status(duo, plan["id"]) == ("held", None)


async def _compare(*_: object, **__: object) -> int:
    raise AssertionError("a pause compares nothing by itself")


async def _status(duo: Duo, plan: int) -> tuple[str, str | None]:
    [row] = await duo.world.rows(
        f"SELECT * FROM plans WHERE id = {plan} AND connection_id = ANY($1::bigint[])"  # noqa: S608
    )
    return row["status"], row["decided_by"]
