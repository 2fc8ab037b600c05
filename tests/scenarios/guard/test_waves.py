"""A script deletes origins in waves, and every held plan is rejected: saying no opens nothing."""

from app.core.config import GuardLimits, WindowLimits
from app.sandbox import Link
from app.store.guard import held_plans as stored
from app.sync.guard import held_plans
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.guard.guarding import chain, decide, planned, removals, state_of, waits_for

TIGHT = GuardLimits(WindowLimits(0.01, 10, 10), WindowLimits(0.05, 20, 20))
WAVES, SIZE = 4, 12


async def test_a_rejection_opens_no_fresh_windows(build: Build) -> None:
    duo, origins = await chain(build, WAVES * SIZE, guard=TIGHT)
    for wave in range(WAVES):
        for link in origins[wave * SIZE : (wave + 1) * SIZE]:
            duo.ann.unlink(link)
        await duo.world.settle()
        await decide(duo, "reject")
    assert removals(duo) == 10, "the limit of an hour, of which none was approved"
    assert (await state_of(duo)).guard_tripped_at is not None, "only a reset or an approval arms it"


async def test_nor_does_time_after_one(build: Build) -> None:
    duo, origins = await chain(build, 2 * SIZE, guard=TIGHT)
    for link in origins[:SIZE]:
        duo.ann.unlink(link)
    await duo.world.settle()
    await decide(duo, "reject")
    duo.world.clock.tick(3 * 86_400)
    for link in origins[SIZE:]:
        duo.ann.unlink(link)
    await duo.world.settle()
    assert removals(duo) == 10


async def test_an_approval_of_all_that_is_held_arms_it(build: Build) -> None:
    duo, origins = await chain(build, 3 * SIZE, guard=TIGHT)
    await _wave(duo, origins[:SIZE])
    await decide(duo, "reject")
    await _wave(duo, origins[SIZE : 2 * SIZE])
    assert len(await waits_for(duo)) == SIZE, "what follows a rejection is held"
    await decide(duo, "approve")
    assert (await state_of(duo)).guard_tripped_at is None
    assert removals(duo) == 10 + SIZE


async def test_a_rejection_beside_an_approval_does_not(build: Build) -> None:
    """Of two plans that wait, one is approved and the other rejected before that is applied."""
    duo, origins = await chain(build, 3 * SIZE, guard=TIGHT)
    await _wave(duo, origins[:SIZE])
    await planned(duo)
    await _wave(duo, origins[SIZE : 2 * SIZE])
    await planned(duo)
    for call, plan in zip((held_plans.approve, held_plans.reject), await _held(duo), strict=True):
        async with duo.world.database.connection() as conn:
            digest = (await stored.value(conn, plan)).digest
        await call(duo.world.database, plan, digest, by="ann", note="", now=duo.world.now())
    await decide(duo, "approve")
    assert await waits_for(duo) == []
    assert removals(duo) == 12
    assert (await state_of(duo)).guard_tripped_at is not None


async def _wave(duo: Duo, origins: list[Link]) -> None:
    for link in origins:
        duo.ann.unlink(link)
    await duo.world.settle()


async def _held(duo: Duo) -> list[int]:
    rows = await duo.world.rows(
        """SELECT id FROM plans WHERE connection_id = ANY($1::bigint[]) AND status = 'held'
           ORDER BY id"""
    )
    return [row["id"] for row in rows]
