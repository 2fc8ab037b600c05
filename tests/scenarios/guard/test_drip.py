"""A drip: sixty removals by sixty events over forty issues, and three workers at once."""

import asyncio

import pytest

from app.core.config import GuardLimits, WindowLimits
from app.store.config.active_connection import Running
from app.sync.guard import held_plans
from app.sync.reconcile import loop
from app.sync.runtime.context import Context
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.guard.guarding import removals, state_of
from tests.support.engine import LEASE

ISSUES, REMOVED = 40, 60
DEFAULT = GuardLimits()


def of(limit: int) -> GuardLimits:
    return GuardLimits(WindowLimits(0.01, limit, limit), DEFAULT.day)


@pytest.mark.parametrize(
    ("guard", "limit"), [(of(1), 1), (of(5), 5), (DEFAULT, 10)], ids=["one", "five", "default"]
)
async def test_at_most_the_limit_goes_and_the_rest_is_sealed(
    build: Build, guard: GuardLimits, limit: int
) -> None:
    duo = await build(issues=ISSUES, guard=guard)
    origins = []
    for number in range(ISSUES):
        for step in (1, 2):
            to = (number + step) % ISSUES + 1
            origins.append(duo.ann.link(f"P-{number + 1}", "Blocks", f"P-{to}"))
    await duo.world.settle()
    workers = [duo.world.worker() for _ in range(3)]
    took = [0, 0, 0]
    for number, link in enumerate(origins[:REMOVED]):
        duo.ann.unlink(link)
        assert await duo.world.deliver() >= 1
        if number % 3 < 2:
            continue
        done = await asyncio.gather(*(_look(it) for it in workers))
        took = [sum(pair) for pair in zip(took, done, strict=True)]
        duo.world.clock.tick(20)
        await held_plans.run_once(duo.world.ctx)
    await duo.world.settle()
    duo.world.clock.tick(31)
    await held_plans.run_once(duo.world.ctx)

    assert min(took) > 0, "all three were at it"
    assert removals(duo) == limit
    waiting = await duo.world.held()
    assert len(waiting) == REMOVED - limit
    assert {it["status"] for it in waiting} == {"held"}
    plans = await duo.world.rows("SELECT digest FROM plans WHERE connection_id = ANY($1::bigint[])")
    assert len(plans) > 1
    assert all(it["digest"] for it in plans)
    assert _tripped(await state_of(duo))
    await _nothing_more(duo, limit)


async def _look(worker: Context) -> int:
    return (await loop.run_once(worker, size=2, lease=LEASE)).claimed


def _tripped(state: Running) -> bool:
    return state.guard_tripped_at is not None


async def _nothing_more(duo: Duo, limit: int) -> None:
    """A day later, after a restart."""
    duo.world.clock.tick(86_400)
    await duo.world.resync()
    await duo.world.settle()
    assert removals(duo) == limit
