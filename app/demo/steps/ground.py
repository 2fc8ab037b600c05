"""The start: real servers, and two sites full of other people's links."""

from platform import python_version

from app.demo.failed import check
from app.demo.stage import SideName, Stage
from app.demo.teller import Teller
from app.demo.waiting import until
from app.sandbox.worlds import DEMO

_FLAVOURS = {"cloud": "Jira Cloud", "datacenter": "Jira Data Center"}


async def act(stage: Stage, tell: Teller) -> str:
    async def ready() -> bool:
        return bool((await stage.service.ready())["status"] == "ok")

    await until("the readiness probe says ok", ready)
    check("links that the left lacks", expected=DEMO.foreign_right, found=_lacking(stage))
    servers = [f"{name} {version}" for name, version in stage.versions.items()]
    tell.say(f"{', '.join([*servers, f'Python {python_version()}'])}: started just now, for this.")
    tell.say(f"Twinlink answers at {stage.address}, a page to play with is at {stage.address}/")
    tell.table(
        ("site", "is", "issues", "links", "unmanaged", "their fingerprint"),
        [_row(stage, side) for side in stage.sites],
        numbers=(2, 3, 4),
    )
    tell.say(
        f"People and other tools made all of these links. {DEMO.foreign_right} of those on the "
        "right have no counterpart on the left."
    )
    unmanaged = sum(baseline.fingerprint.count for baseline in stage.baselines.values())
    return f"{unmanaged} links of others, {DEMO.foreign_right} only on the right"


def _lacking(stage: Stage) -> int:
    return len(stage.world.lacking())


def _row(stage: Stage, side: SideName) -> tuple[str, ...]:
    site, seen = stage.sites[side].site, stage.baselines[side].fingerprint
    return (
        side, _FLAVOURS[site.flavour], str(len(site.issues)), str(len(site.links)),
        str(seen.count), seen.short,
    )  # fmt: skip
