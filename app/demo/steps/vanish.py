"""Mass removal stops itself: 60 origins go at once, the guard lets its limit through."""

from typing import Any

from app.demo import people, truth
from app.demo.failed import DemoFailed, check
from app.demo.service import CONNECTION
from app.demo.stage import Stage
from app.demo.teller import Teller

_MANY = 60
_HOUR = "hour"
_WAITING = ("gathering", "held")


async def act(stage: Stage, tell: Teller) -> str:
    pairs = people.free_pairs(stage.world, _MANY + 1)
    last, many = pairs[-1], pairs[:-1]
    origins = await _sixty_more(stage, tell, many)
    window = _hour(await stage.service.connection())
    room, mark = window["limit"] - window["used"], len(stage.right.site.mutations)
    await people.unlink_all(stage.left, "importer", origins)
    stage.vanished += many
    await stage.quiet(f"{_MANY} origins gone")
    removed = truth.removed(stage.right.site, mark)
    check("mirrors removed", expected=room, found=len(removed))
    held = (await stage.service.status())["held"]
    check("removals held", expected=_MANY - room, found=held)
    tell.proven(f"a tool deleted the {_MANY} origins: {len(removed)} mirrors removed, {held} held")
    await _tell_guard(stage, tell, held)
    await _creations_go_on(stage, tell, last)
    return f"{len(removed)} removed, {held} held, creations go on"


async def _sixty_more(stage: Stage, tell: Teller, pairs: list[people.Pair]) -> list[int]:
    """Managed links to lose: made by a tool on the left, mirrored as any."""
    mark = len(stage.right.site.mutations)
    origins = await people.link_all(stage.left, "importer", "Duplicate", pairs)
    await stage.quiet(f"{_MANY} more links")
    made = truth.created(stage.right.site, mark)
    check("mirrors of the new links", expected=_MANY, found=len(made))
    tell.proven(f"a tool made {_MANY} links on the left: {len(made)} mirrors on the right")
    return origins


async def _tell_guard(stage: Stage, tell: Teller, held: int) -> None:
    connection = await stage.service.connection()
    guard, window = connection["guard"], _hour(connection)
    check("the guard", expected="tripped", found=guard["state"])
    plans = await stage.service.items("plans", connection=CONNECTION)
    waiting = [plan for plan in plans if plan["status"] in _WAITING]
    counted = sum(plan["counts"]["remove"] for plan in waiting)
    check("removals in held plans", expected=held, found=counted)
    tell.proven(
        f"the guard tripped at {window['used']} of {window['limit']} removals an hour; plan "
        f"{waiting[0]['id']} ({waiting[0]['status']}) waits for a person with {counted}"
    )


async def _creations_go_on(stage: Stage, tell: Teller, pair: people.Pair) -> None:
    mark = len(stage.right.site.mutations)
    await people.link(stage.left, "carla", pair[0], "Blocks", pair[1])
    await stage.quiet("one link while the guard is tripped")
    check("links made meanwhile", expected=1, found=len(truth.created(stage.right.site, mark)))
    check("links removed meanwhile", expected=0, found=len(truth.removed(stage.right.site, mark)))
    tell.proven(f"creations go on: {pair[0]} blocks {pair[1]} was mirrored meanwhile")


def _hour(connection: dict[str, Any]) -> dict[str, Any]:
    for window in connection["guard"]["windows"]:
        if window["scope"] == _HOUR:
            found: dict[str, Any] = window
            return found
    raise DemoFailed("the guard has no window of an hour")
