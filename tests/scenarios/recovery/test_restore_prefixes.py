"""Whatever was removed, in whatever order and however far: restored, it is as it was before."""

import random

import pytest

from app.store.recovery.restore_select import Filters
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.recovery.restoring import apply, ask
from tests.scenarios.recovery.test_restore import nothing_moves

ISSUES = 7
Wish = tuple[int, str, str, str]


def wishes(dice: random.Random) -> list[Wish]:
    """Links of both sides, each pair of issues once: side, source, type, destination."""
    pairs = [(a, b) for a in range(1, ISSUES + 1) for b in range(a + 1, ISSUES + 1)]
    found = []
    for pair in dice.sample(pairs, 10):
        source, to = dice.sample(pair, 2)
        name = dice.choice(("Blocks", "Relates"))
        found.append((dice.randrange(2), f"P-{source}", name, f"P-{to}"))
    return found


@pytest.mark.parametrize("seed", range(10))
async def test_any_prefix_comes_back_and_stays(build: Build, seed: int) -> None:
    dice = random.Random(seed)
    duo = await build(issues=ISSUES)
    people = (duo.ann, duo.bob)
    wished = wishes(dice)
    made = [people[side].link(*wish) for side, *wish in wished]
    await duo.world.settle()
    mirrors = mirrors_of(duo)
    assert len(mirrors) == len(made)
    began = duo.world.now()
    order = list(zip(wished, made, strict=True))
    dice.shuffle(order)
    for (side, *wish), link in order[: dice.randint(1, len(order))]:
        people[side].unlink(link)
        if dice.random() < 0.3:
            await duo.world.settle()
        if dice.random() < 0.2:
            # It is made anew, and may go again.
            made_anew = people[side].link(*wish)
            if dice.random() < 0.5:
                await duo.world.settle()
                people[side].unlink(made_anew)
    await duo.world.settle()
    lost = mirrors - mirrors_of(duo)
    if lost:
        await apply(duo.world, await ask(duo.world, filters=Filters(since=began)))
        await duo.world.settle()
    assert mirrors_of(duo) == mirrors
    await nothing_moves(duo)


def mirrors_of(duo: Duo) -> set[tuple[str, str, str, str]]:
    """What our account made on both sides and still stands, ends ordered where it means nothing."""
    found = set()
    for name, station in (("left", duo.left), ("right", duo.right)):
        for number in station.ours:
            link = station.jira.links[number]
            kind = station.jira.types[link.type_id]
            ends = [station.jira.issues[end].key for end in (link.source, link.destination)]
            ends = sorted(ends) if kind.symmetric else ends
            found.add((name, kind.name, ends[0], ends[1]))
    return found
