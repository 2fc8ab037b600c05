"""A script deletes 700 origins, one by one and in bulk. Meanwhile an administrator maps fewer
types, then more than before, and people go on working."""

import random
from functools import partial

from app.demo import people
from app.demo.drill.scene import Scene
from app.demo.drill.truth import origins, triple
from app.demo.drill.worlds import ALPHA, BETA
from app.demo.steps.connect import configuration
from app.demo.teller import Teller
from app.demo.waiting import until
from app.sandbox.worlds import TOOL, UNMAPPED

DELETED = 350
"""Of each connection."""
DRIPPED = 50
_OWN = ("hour", "day")
WORK = 5
"""Links that a person makes while the guard is tripped."""


async def act(scene: Scene, tell: Teller) -> str:
    stage, world = scene.stage, scene.worlds[ALPHA]
    scene.figures.limit = sum([await _room(scene, name) for name in scene.worlds])
    doomed = {name: _doomed(scene, name) for name in scene.worlds}
    await _revise(scene, world.types[:1], "fewer types for a while")
    tell.say(f"Revision 2 of {ALPHA} maps one type of three.")
    drip = [number for pair in zip(*doomed.values(), strict=True) for number in pair]
    for number in drip[: 2 * DRIPPED]:
        await people.unlink_all(stage.left, TOOL, [number])
    tell.say(f"The script deletes {2 * DRIPPED} origins of both connections, one after the other.")
    await until(f"the guard of {ALPHA} trips", partial(_tripped, scene, ALPHA))
    tell.say(f"The guard of {ALPHA} trips, and no person has seen it yet.")
    await _revise(scene, [*world.types, (UNMAPPED[0], UNMAPPED[0])], "and more than before")
    tell.say(f"Revision 3 maps them again, and one more: {UNMAPPED[0]}.")
    await people.unlink_all(stage.left, TOOL, drip[2 * DRIPPED :])
    tell.say(f"The script deletes {len(drip) - 2 * DRIPPED} more, as fast as it can.")
    await _work(scene)
    await stage.quiet("origins gone", seconds=120.0)
    _note_times(scene)
    return f"{len(drip)} origins deleted within {_lasted(scene):.1f} s"


async def _room(scene: Scene, connection: str) -> int:
    """How many removals its own windows let through now."""
    windows = (await scene.stage.service.connection(connection))["guard"]["windows"]
    own = [window for window in windows if window["scope"] in _OWN]
    room: int = min(window["limit"] - window["used"] for window in own)
    return room


async def _tripped(scene: Scene, connection: str) -> bool:
    state = (await scene.stage.service.connection(connection))["guard"]["state"]
    return bool(state == "tripped")


def _doomed(scene: Scene, connection: str) -> list[int]:
    """Spread over all issues and types."""
    dice = random.Random(f"drill/{connection}")  # noqa: S311 - the same in every drill
    return dice.sample(sorted(origins(scene.worlds[connection]).values()), DELETED)


async def _revise(scene: Scene, types: list[tuple[str, str]], note: str) -> None:
    body = {
        "config": configuration(scene.worlds[ALPHA], types),
        "rollout": "full",
        "note": note,
    }
    await scene.stage.service.post(f"connections/{ALPHA}/revisions", body)


async def _work(scene: Scene) -> None:
    left = scene.stage.left
    pairs = people.free_pairs(scene.worlds[BETA], WORK)
    for number in await people.link_all(left, "carla", "Blocks", pairs):
        scene.made[triple(left.site, left.site.links[number])] += 1


def _note_times(scene: Scene) -> None:
    gone = scene.stage.left.site.mutations.select("removed", TOOL)
    scene.figures.deleted = len(gone)
    scene.figures.first_deletion = gone[0].at / 1000
    scene.figures.last_deletion = gone[-1].at / 1000


def _lasted(scene: Scene) -> float:
    return scene.figures.last_deletion - scene.figures.first_deletion
