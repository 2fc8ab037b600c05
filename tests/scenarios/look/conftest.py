from collections.abc import AsyncIterator

import pytest

from app.sandbox import ManualClock
from tests.scenarios.look.trio import Trio
from tests.support import mixed
from tests.support.engine import Lab


@pytest.fixture
async def trio(lab: Lab) -> AsyncIterator[Trio]:
    clock = ManualClock()
    world = lab.world(clock)
    stations = {
        name: await world.add_site(name, mixed.site(name, clock, issues=3)) for name in "lmr"
    }
    yield Trio(world, stations)
    await world.aclose()
