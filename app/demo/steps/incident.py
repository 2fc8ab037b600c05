"""The rule of the incident, run on a copy, compared with Twinlink on the same world."""

from app.demo import truth
from app.demo.failed import check
from app.demo.service import CONNECTION
from app.demo.stage import Stage
from app.demo.teller import Teller
from app.demo.truth import Baseline
from app.demo.waiting import until
from app.sandbox.worlds import DEMO

_RULE_ACTOR = "importer"
_OVER = {"succeeded", "failed", "cancelled"}


async def act(stage: Stage, tell: Teller) -> str:
    would = _rule_on_a_copy(stage)
    tell.say("Its rule: a link that the destination has and the source lacks is an inconsistency.")
    twinlinks = await _full_comparison(stage)
    tell.table(
        ("on this world, now", "looks at", "would remove unmanaged links"),
        [
            ("the incident's rule", "the two sites", str(would)),
            ("Twinlink, full comparison", "the two sites and its ledger", str(twinlinks)),
        ],
        numbers=(2,),
    )
    tell.proven(f"the rule would remove {would} unmanaged links: it did, on a copy")
    tell.proven(f"Twinlink compared every twin and removed {twinlinks}, by the sites' own logs")
    return f"the rule: {would}; Twinlink: {twinlinks}"


def _rule_on_a_copy(stage: Stage) -> int:
    """How many unmanaged links the rule removes, by the copy's own log."""
    copy = stage.world.copy()
    baseline = stage.baselines["right"]
    mark = len(copy.right.mutations)
    before = len(stage.right.site.links)
    copy.incident_rule(_RULE_ACTOR)
    gone = copy.right.mutations.select("removed", _RULE_ACTOR, since=mark)
    hit = sum(entry.link_id in baseline.ids for entry in gone)
    check("unmanaged links that the rule removes", expected=DEMO.foreign_right, found=hit)
    check("links of the world itself", expected=before, found=len(stage.right.site.links))
    return hit


async def compared(stage: Stage, connection: str) -> None:
    """A full comparison of every twin, to its end."""
    asked = await stage.service.post(f"connections/{connection}/resyncs", {})

    async def over() -> bool:
        resync = await stage.service.get(f"resyncs/{asked['id']}")
        return resync["status"] in _OVER

    await until("the full comparison", over)
    resync = await stage.service.get(f"resyncs/{asked['id']}")
    check("the full comparison", expected="succeeded", found=resync["status"])
    await stage.quiet("the full comparison")


async def _full_comparison(stage: Stage) -> int:
    """How many links Twinlink removes when it looks at everything again."""
    marks = {side: len(served.site.mutations) for side, served in stage.sites.items()}
    await compared(stage, CONNECTION)
    for side, served in stage.sites.items():
        now = Baseline.now(stage.baselines[side], served.site)
        check(f"unmanaged links of {side}", expected=stage.baselines[side].fingerprint, found=now)
    removed = [truth.removed(served.site, marks[side]) for side, served in stage.sites.items()]
    found = sum(len(entries) for entries in removed)
    check("links that Twinlink removed", expected=0, found=found)
    return found
