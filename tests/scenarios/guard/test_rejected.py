"""What a person kept by rejecting its removal stays, wherever its row was at that moment."""

from app.core.config import Mode, OnIssueDeleted
from app.store.config import active_connection, connections
from app.store.guard import held_plans as plans_held
from app.sync.guard import held_plans
from tests.scenarios.conftest import Build, Duo


async def _reject(duo: Duo) -> None:
    """The one plan that is held."""
    (waiting,) = [it for it in await duo.world.held() if it["status"] == "held"]
    plan = waiting["plan_id"]
    async with duo.world.database.connection() as conn:
        digest = (await plans_held.value(conn, plan)).digest
    await held_plans.reject(
        duo.world.database, plan, digest, by="ann", note="", now=duo.world.now()
    )


async def _seal(duo: Duo) -> None:
    duo.world.clock.tick(60)
    await held_plans.run_once(duo.world.ctx)


async def _live(duo: Duo) -> None:
    """Nothing but the rejection keeps the link."""
    async with duo.world.database.transaction() as conn:
        await active_connection.lock(conn, duo.connection)
        await connections.set_mode(conn, duo.connection, Mode.LIVE)


async def _twice(duo: Duo) -> None:
    for _ in range(2):
        await duo.world.resync()
        await duo.world.settle()


async def test_a_mirror_of_a_deleted_issue(build: Build) -> None:
    duo = await build(mode=Mode.REVIEW, on_issue_deleted=OnIssueDeleted.REMOVE)
    await duo.mirrored()
    duo.left.person("root").delete("P-2")
    await duo.world.settle()
    await _seal(duo)
    await _reject(duo)
    await _live(duo)
    await _twice(duo)
    assert len(duo.right.ours) == 1


async def test_a_link_that_had_left_the_scope(build: Build) -> None:
    duo = await build(mode=Mode.REVIEW)
    duo.ann.unlink(await duo.mirrored())
    await duo.world.settle()
    await _seal(duo)
    duo.ann.move("P-2", "X")
    await duo.world.settle()
    assert await duo.world.states() == ["suspended"]
    await _reject(duo)
    await _live(duo)
    duo.ann.move("X-1", "P")
    await duo.world.settle()
    await _twice(duo)
    assert await duo.world.states() == ["detached"]
    assert len(duo.right.ours) == 1
