"""Two full comparisons of each connection change nothing: what was put back stays."""

from app.demo.drill.checks import restored, untouched
from app.demo.drill.scene import Scene
from app.demo.failed import check
from app.demo.steps.incident import compared
from app.demo.steps.intact import accounted_for, verified
from app.demo.teller import Teller

_TIMES = 2


async def act(scene: Scene, tell: Teller) -> str:
    stage = scene.stage
    marks = {side: len(served.site.mutations) for side, served in stage.sites.items()}
    for _ in range(_TIMES):
        for name in scene.worlds:
            await compared(stage, name)
    for side, served in stage.sites.items():
        check(f"writes to {side}", expected=marks[side], found=len(served.site.mutations))
    tell.proven("two full comparisons of each connection wrote nothing")
    untouched(scene)
    restored(scene)
    count = stage.baselines["right"].fingerprint.count
    tell.proven(f"unmanaged before = after: {count} on the right, by id; mirrors = origins")
    removed = await accounted_for(stage, *scene.worlds)
    tell.proven(f"each of the {removed} removals was of a link of ours, and the audit has it")
    tell.proven(f"the audit's hash chains hold over all of its {await verified(stage)} rows")
    await _no_other_incident(scene)
    return "unmanaged before = after, mirrors = origins"


async def _no_other_incident(scene: Scene) -> None:
    kinds = {it["kind"] for it in await scene.stage.service.items("incidents")}
    check("kinds of incidents", expected={"guard_tripped"}, found=kinds)
