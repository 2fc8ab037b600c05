"""The call that the incident itself names: a rollback at once, and its undo by an approved plan.
The configuration of the other connection was right; the links that it removed are restored."""

from time import time

from app.demo.drill.plans import applied, approved
from app.demo.drill.scene import Scene
from app.demo.drill.steps.script import WORK
from app.demo.drill.truth import mirrors
from app.demo.drill.worlds import ALPHA, BETA, SIZES, WIDER
from app.demo.failed import DemoFailed, check
from app.demo.service import Json
from app.demo.teller import Teller


async def act(scene: Scene, tell: Teller) -> str:
    plan_id = await _roll_back(scene, tell)
    plan = await approved(scene.stage, plan_id)
    counts = plan["counts"]
    check(
        "the undo", expected=(scene.lost[ALPHA], WIDER), found=(counts["create"], counts["remove"])
    )
    await applied(scene.stage, plan_id)
    tell.proven(
        f"its plan {plan_id}, approved: {counts['create']} mirrors are back, the {WIDER} of the "
        "type that was added are gone"
    )
    restored = await _restore(scene)
    tell.proven(f"{BETA}: the restore that its incident names, approved: {restored} are back")
    await scene.stage.quiet("the roll-back")
    for name, more in ((ALPHA, 0), (BETA, WORK)):
        found = mirrors(scene.worlds[name]).total()
        check(f"mirrors of {name}", expected=SIZES.left_only + more, found=found)
    took = scene.figures.roll_back_took
    return f"rolled back in {took:.2f} s, {scene.lost[ALPHA] + restored} mirrors are back"


async def _roll_back(scene: Scene, tell: Teller) -> str:
    service = scene.stage.service
    call = _call(scene.incidents[ALPHA], "/rollback")
    began = time()
    done = await service.post(call["path"].lstrip("/"), call["body"])
    scene.figures.rolled_back = time()
    scene.figures.roll_back_took = scene.figures.rolled_back - began
    check("the revision rolled back to", expected=1, found=done["rolled_back_to"])
    first, now = [await service.get(f"connections/{ALPHA}/revisions/{n}") for n in (1, 4)]
    check("the configuration", expected=first["config"], found=now["config"])
    tell.proven(
        f"{call['command']}: answered after {scene.figures.roll_back_took:.2f} s; revision "
        f"{done['revision']} is equal to revision 1, and no older write can commit any more"
    )
    plan_id: str = done["plan_id"]
    return plan_id


async def _restore(scene: Scene) -> int:
    call = _call(scene.incidents[BETA], "/restores")
    made = await scene.stage.service.post("restores", call["body"])
    await approved(scene.stage, made["plan_id"])
    await applied(scene.stage, made["plan_id"])
    it = await scene.stage.service.get(f"restores/{made['id']}")
    lost = scene.lost[BETA]
    found = {name: it[name] for name in ("restorable", "restored", "verified", "failed")}
    expected = {"restorable": lost, "restored": lost, "verified": lost, "failed": 0}
    check(f"the restore of {BETA}", expected=expected, found=found)
    return lost


def _call(incident: Json, ends_with: str) -> Json:
    for call in incident["calls"]:
        if call["path"].endswith(ends_with):
            found: Json = call
            return found
    raise DemoFailed(f"the incident names no call to {ends_with}")
