"""Two sites, one connection: `duo` with everything live; variations are a call away."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import stamina

from app.core.config import Mode
from app.sandbox import Link, ManualClock, Person
from tests.support import mixed
from tests.support.engine import Lab, Station, World, open_lab

# P-1 left is P-2 right and so on: whoever confuses the sides is seen.
TWINS = {"P-1": "P-2", "P-2": "P-3", "P-3": "P-1", "P-4": "P-4"}


@dataclass(slots=True)
class Duo:
    """One connection between *left* and *right*, its twins by left key."""

    world: World
    left: Station
    right: Station
    connection: int
    twins: dict[str, int]

    @property
    def ann(self) -> Person:
        """Somebody on the left."""
        return self.left.person("ann")

    @property
    def bob(self) -> Person:
        """Somebody on the right."""
        return self.right.person("bob")

    async def mirrored(self, source: str = "P-1", name: str = "Blocks", to: str = "P-2") -> Link:
        """A person links on the left; the origin, once its mirror is there."""
        made = self.ann.link(source, name, to)
        await self.world.settle()
        assert (TWINS[source], name, TWINS[to]) in self.right.jira.triples_of()
        return made

    @property
    def mirror(self) -> Link:
        """Our one link on the right."""
        (number,) = self.right.ours
        return self.right.jira.links[number]


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """Read-backs are tried as often, but at once: nobody waits in real time."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
async def lab(db_url: str) -> AsyncIterator[Lab]:
    async with open_lab(db_url) as lab:
        yield lab


Build = Callable[..., Awaitable[Duo]]


@pytest.fixture
async def build(lab: Lab) -> AsyncIterator[Build]:
    """`await build(mode=..., direction=...)`: a duo whose connection is made so."""
    worlds = []

    async def make(*, mode: Mode = Mode.LIVE, issues: int = 5, **changes: Any) -> Duo:
        clock = ManualClock()
        world = lab.world(clock)
        worlds.append(world)
        left = await world.add_site("left", mixed.site("left", clock, issues=issues))
        right = await world.add_site(
            "right", mixed.site("right", clock, issues=issues, flavour="datacenter")
        )
        made = await world.connect("left", "right", mixed.config(left, right, **changes), mode)
        pairs = TWINS if issues == 5 else {f"P-{n}": f"P-{n}" for n in range(1, issues + 1)}
        twins = {
            one: await world.pair(made, ("left", one), ("right", to)) for one, to in pairs.items()
        }
        await world.settle()
        return Duo(world, left, right, made, twins)

    yield make
    for world in worlds:
        await world.aclose()


@pytest.fixture
async def duo(build: Build) -> Duo:
    return await build()
