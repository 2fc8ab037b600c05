"""A person puts the origins back: the held removals are dropped, nothing else happens."""

from app.demo import people, truth
from app.demo.failed import check
from app.demo.service import CONNECTION
from app.demo.stage import Stage
from app.demo.teller import Teller


async def act(stage: Stage, tell: Teller) -> str:
    mark = len(stage.right.site.mutations)
    await people.link_all(stage.left, "importer", "Duplicate", stage.vanished)
    await stage.quiet("the origins again")
    tell.proven(f"the tool makes its {len(stage.vanished)} links on the left again")
    await stage.service.post(f"connections/{CONNECTION}/guard/reset")
    await stage.quiet("the guard armed again")
    guard = (await stage.service.connection())["guard"]
    check("the guard", expected="armed", found=guard["state"])
    check("removals held", expected=0, found=(await stage.service.status())["held"])
    tell.proven("an approver arms the guard: no removal is left to hold, for none is due any more")
    check("mirrors removed meanwhile", expected=0, found=len(truth.removed(stage.right.site, mark)))
    again = len(truth.created(stage.right.site, mark))
    before = len(truth.removed(stage.right.site))
    check("mirrors made again", expected=before, found=again)
    kept = len(stage.vanished) - again
    tell.proven(f"{kept} mirrors had stayed and are in step, the {again} that went are made again")
    return f"{kept} mirrors had stayed, {again} made again"
