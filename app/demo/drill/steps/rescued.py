"""It was an accident: held removals are rejected, so that these mirrors stay, and the origins that
the script deleted come back from Jira's own changelogs."""

from datetime import UTC, datetime
from time import time

from app.demo.drill.checks import restored
from app.demo.drill.plans import applied, approved, rejected
from app.demo.drill.scene import Scene
from app.demo.drill.truth import mirrors
from app.demo.failed import check
from app.demo.teller import Teller
from app.sandbox.worlds import TOOL

_COUNTS = ("restorable", "restored", "verified", "failed")


async def act(scene: Scene, tell: Teller) -> str:
    stage, many = scene.stage, scene.figures.deleted
    mark = len(stage.right.site.mutations)
    kept = sum([await rejected(stage, name) for name in scene.worlds])
    await _nothing_held(scene)
    tell.proven(f"what was held is rejected: {kept} mirrors stay, and no guard is armed by that")
    await _armed(scene)
    tell.proven("an approver arms each guard again")
    made = await stage.service.post("rescues", _rescue(scene))
    await approved(stage, made["plan_id"])
    await applied(stage, made["plan_id"])
    it = await stage.service.get(f"rescues/{made['id']}")
    expected = {"restorable": many, "restored": many, "verified": many, "failed": 0}
    check("the rescue", expected=expected, found={name: it[name] for name in _COUNTS})
    tell.proven(f"a rescue by account and window, approved: {many} origins are back, read back")
    await stage.quiet("the origins again", seconds=120.0)
    restored(scene)
    await _managed(scene)
    scene.figures.restored = time()
    moved = stage.right.site.mutations.entries[mark:]
    check("mirrors made or removed for it", expected=[], found=moved)
    tell.proven("each of their mirrors is managed again; none was made or removed for it")
    return f"{many} origins back, mirrors = origins"


def _rescue(scene: Scene) -> dict[str, str]:
    site = scene.stage.left.site
    first, last = scene.figures.first_deletion, scene.figures.last_deletion
    return {
        "site": "left",
        "account_id": site.user(TOOL).account_id,
        "since": datetime.fromtimestamp(first - 1, UTC).isoformat(),
        "until": datetime.fromtimestamp(last + 1, UTC).isoformat(),
    }


async def _managed(scene: Scene) -> None:
    """What was detached is kept in step again."""
    for name, world in scene.worlds.items():
        links = await scene.stage.service.items(f"connections/{name}/links", state="managed")
        check(f"managed links of {name}", expected=mirrors(world).total(), found=len(links))


async def _nothing_held(scene: Scene) -> None:
    for name in scene.worlds:
        guard = (await scene.stage.service.connection(name))["guard"]
        check(f"the guard of {name}", expected="tripped", found=guard["state"])
        held = (await scene.stage.service.status(name))["held"]
        check(f"removals of {name} held", expected=0, found=held)


async def _armed(scene: Scene) -> None:
    for name in scene.worlds:
        await scene.stage.service.post(f"connections/{name}/guard/reset")
        guard = (await scene.stage.service.connection(name))["guard"]
        check(f"the guard of {name}", expected="armed", found=guard["state"])
