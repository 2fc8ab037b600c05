"""No more than the limit was removed, no link of others; work went on; people were notified."""

from datetime import datetime
from functools import partial

from app.demo import truth
from app.demo.drill.checks import untouched
from app.demo.drill.receiver import Received
from app.demo.drill.scene import Scene
from app.demo.drill.steps.script import DELETED, WORK
from app.demo.drill.truth import mirrors
from app.demo.drill.worlds import ALPHA, SIZES, WIDER
from app.demo.failed import DemoFailed, check
from app.demo.service import Json
from app.demo.teller import Teller
from app.demo.waiting import until
from app.sandbox.worlds import CANARY

_KIND = "guard_tripped"


async def act(scene: Scene, tell: Teller) -> str:
    await _held(scene, tell)
    untouched(scene)
    tell.proven("no link of others was touched, on neither site")
    _creations(scene)
    tell.proven(f"creations went on: {WORK} of a person, {WIDER} of the type that was added")
    for name in scene.worlds:
        scene.incidents[name] = await until(f"the incident of {name}", partial(_open, scene, name))
    await _correlated(scene, tell)
    await _told(scene, tell)
    it = scene.figures
    return (
        f"{it.removed} of {it.deleted} went, noticed after {it.noticed - it.first_deletion:.1f} s"
    )


async def _held(scene: Scene, tell: Teller) -> None:
    for name, world in scene.worlds.items():
        connection = await scene.stage.service.connection(name)
        check(f"the guard of {name}", expected="tripped", found=connection["guard"]["state"])
        added = WIDER if name == ALPHA else WORK
        lost = SIZES.left_only + added - len(mirrors(world))
        scene.lost[name] = lost
        held = (await scene.stage.service.status(name))["held"]
        check(f"removals of {name} that are held", expected=DELETED - lost, found=held)
    removed = len(truth.removed(scene.stage.right.site))
    check("removals by the site's log", expected=sum(scene.lost.values()), found=removed)
    scene.figures.removed, limit = removed, scene.figures.limit
    if not 0 < removed <= limit:
        raise DemoFailed(f"mirrors removed: {removed}, the limit is {limit}")
    each = " and ".join(f"{lost} of {name}" for name, lost in scene.lost.items())
    tell.proven(f"{removed} mirrors went ({each}), the limit is {limit}; all others are held")


def _creations(scene: Scene) -> None:
    made = len(truth.created(scene.stage.right.site))
    expected = len(scene.worlds) * SIZES.left_only + WORK + WIDER
    check("mirrors made, all told", expected=expected, found=made)


async def _open(scene: Scene, name: str) -> Json | None:
    found = await scene.stage.service.items("incidents", connection=name, status="open")
    other = [it["kind"] for it in found if it["kind"] != _KIND]
    check(f"other incidents of {name}", expected=[], found=other)
    if not found:
        return None
    whole: Json = await scene.stage.service.get(f"incidents/{found[0]['id']}")
    return whole


async def _correlated(scene: Scene, tell: Teller) -> None:
    it = scene.incidents[ALPHA]
    said = str(it["facts"].get("correlated", "nothing"))
    check(
        "what the incident correlates with",
        expected="revision 2",
        found=said.split(",", maxsplit=1)[0],
    )
    opened = [datetime.fromisoformat(one["opened_at"]) for one in scene.incidents.values()]
    scene.figures.noticed = min(opened).timestamp()
    after = scene.figures.noticed - scene.figures.first_deletion
    tell.proven(
        f"an incident is open on each, the first {after:.1f} s after the first deletion; that of "
        f"{ALPHA} says: began soon after {said}"
    )


async def _told(scene: Scene, tell: Teller) -> None:
    first: list[Received] = []
    for name in scene.worlds:
        heard = partial(_heard, scene, "guard holds removals", name)
        first.append(await until(f"the message about {name}", heard))
    for it in scene.receiver.received:
        check("issue content in a message", expected=False, found=CANARY in it.title + it.text)
    scene.figures.told = min(it.at for it in first)
    after = scene.figures.told - scene.figures.first_deletion
    tell.proven(f"both were told to a receiver outside, the first after {after:.1f} s:")
    tell.raw([first[0].title, *first[0].text.splitlines()])


async def _heard(scene: Scene, *words: str) -> Received | None:
    return scene.receiver.first(*words)
