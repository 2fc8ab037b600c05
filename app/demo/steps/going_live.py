"""Live: what only the left has is mirrored, what both have is recorded and left alone."""

from collections import Counter

from app.demo import truth
from app.demo.failed import check
from app.demo.service import CONNECTION
from app.demo.stage import Stage
from app.demo.teller import Teller
from app.sandbox.worlds import DEMO


async def act(stage: Stage, tell: Teller) -> str:
    marks = {side: len(served.site.requests) for side, served in stage.sites.items()}
    await stage.service.put(f"connections/{CONNECTION}/mode", {"mode": "live"})
    await stage.quiet("the comparison after going live")
    made = truth.created(stage.right.site)
    check("mirrors made on the right", expected=DEMO.left_only, found=len(made))
    check("links made on the left", expected=0, found=len(truth.created(stage.left.site)))
    for served in stage.sites.values():
        check(f"removals on {served.site.name}", expected=0, found=len(truth.removed(served.site)))
    tell.proven(f"{len(made)} mirrors made on the right, none of the links there before touched")
    links = await stage.service.items(f"connections/{CONNECTION}/links")
    states = Counter(link["state"] for link in links)
    expected = {"managed": DEMO.left_only, "preexisting": DEMO.both_sides}
    check("the ledger", expected=expected, found=dict(states))
    tell.proven(
        f"{states['preexisting']} links that people had made on both sites: recorded as "
        "preexisting, never ours to remove"
    )
    asked = sum(len(truth.calls(served.site, marks[side])) for side, served in stage.sites.items())
    tell.say(f"{asked} Jira calls on both sites together, {asked / len(made):.1f} per mirror.")
    return f"{len(made)} mirrors made, {states['preexisting']} recorded as preexisting"
