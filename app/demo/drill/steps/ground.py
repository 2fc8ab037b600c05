"""A mixed world: as many links of others as of ours, all on one site."""

from collections.abc import Mapping

from app.demo import truth
from app.demo.drill.scene import Scene
from app.demo.drill.truth import mirrors, origins
from app.demo.drill.worlds import SIZES
from app.demo.failed import check
from app.demo.steps.connect import configuration, pair, register
from app.demo.teller import Teller


async def act(scene: Scene, tell: Teller) -> str:
    stage = scene.stage
    for side in stage.sites:
        await register(stage, side)
    paired = 0
    for name, world in scene.worlds.items():
        await stage.service.put(f"connections/{name}", configuration(world))
        paired += await pair(stage, name, world)
    await stage.quiet("the first comparison")
    for name in scene.worlds:
        await stage.service.put(f"connections/{name}/mode", {"mode": "live"})
    await stage.quiet("the comparison after going live", seconds=120.0)
    counts = _counts(scene)
    tell.table(("on the right", "links"), [(what, str(n)) for what, n in counts.items()])
    tell.proven(f"{paired} twins paired, {counts['mirrors']} mirrors made and nothing else")
    return f"{counts['links']} links, {counts['of others']} of them of others"


def _counts(scene: Scene) -> Mapping[str, int]:
    right = scene.stage.right.site
    for name, world in scene.worlds.items():
        check(f"mirrors of {name}", expected=SIZES.left_only, found=mirrors(world).total())
        in_step = mirrors(world).keys() == origins(world).keys()
        check(f"{name} in step", expected=True, found=in_step)
    check("removals", expected=[], found=truth.removed(right))
    made = len(truth.created(right))
    before = scene.stage.baselines["right"].fingerprint
    check("links of others", expected=before, found=scene.stage.baselines["right"].now(right))
    return {"links": len(right.links), "mirrors": made, "of others": before.count}
