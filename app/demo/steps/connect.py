"""An administrator connects the sites; in shadow mode Twinlink plans what it would do."""

import secrets
from collections.abc import Sequence
from typing import Any

from app.demo import truth
from app.demo.failed import DemoFailed, check
from app.demo.service import CONNECTION
from app.demo.stage import SideName, Stage
from app.demo.teller import Teller
from app.sandbox import Served, token_of
from app.sandbox.worlds import ACCOUNT, ADMIN, DEMO, World

_EVENTS = ["issuelink_created", "issuelink_deleted", "jira:issue_updated", "jira:issue_deleted"]


async def act(stage: Stage, tell: Teller) -> str:
    for side in stage.sites:
        await register(stage, side)
    tell.proven("PUT /sites/left and /right: each answers as the account that it should")
    tell.proven("webhooks registered on both, each with a secret of its own")
    await stage.service.put(f"connections/{CONNECTION}", configuration(stage.world))
    paired = await pair(stage, CONNECTION, stage.world)
    tell.proven(
        f"PUT /connections/{CONNECTION}, POST …/twins: {paired} twins paired, A-1 and B-1 on"
    )
    await stage.quiet("the first comparison")
    would = await _shadow_plan(stage)
    for served in stage.sites.values():
        check(f"writes to {served.site.name}", expected=0, found=len(truth.writes(served.site)))
    tell.proven(f"the shadow plan: would create {would['create']}, would remove {would['remove']}")
    tell.proven("neither site saw a single write")
    return f"{paired} twins; would create {would['create']}, remove {would['remove']}"


async def register(stage: Stage, side: SideName) -> None:
    """The site at Twinlink, and Twinlink's webhook at the site."""
    served, secret = stage.sites[side], secrets.token_urlsafe(24)
    await stage.service.put(f"sites/{side}", _site(served, secret))
    checked = await stage.service.post(f"sites/{side}/check")
    if not checked["ok"]:
        raise DemoFailed(f"the check of {side} found {checked['findings']}")
    body = {
        "name": "Twinlink",
        "url": f"{stage.address}/webhooks/jira/{side}",
        "events": _EVENTS,
        "secret": secret,
    }
    async with served.client(ADMIN) as client:
        answer = await client.post("/rest/webhooks/1.0/webhook", json=body)
    check(f"registering the webhook of {side}", expected=201, found=answer.status_code)


def _site(served: Served, secret: str) -> dict[str, Any]:
    site = served.site
    token = token_of(site, ACCOUNT)
    auth: dict[str, Any] = {"kind": "bearer", "token": token}
    if site.flavour == "cloud":
        auth = {"kind": "basic", "email": site.user(ACCOUNT).email, "token": token}
    return {
        "base_url": served.base_url,
        "deployment": site.flavour,
        "auth": auth,
        "webhook_secret": secret,
        "account_dedicated": True,
    }


def configuration(world: World, types: Sequence[tuple[str, str]] | None = None) -> dict[str, Any]:
    """Of a connection from left to right over the world's projects."""
    return {
        "left": {"site": "left", "projects": [world.left_project]},
        "right": {"site": "right", "projects": [world.right_project]},
        "direction": "left_to_right",
        "link_types": [{"left": left, "right": right} for left, right in types or world.types],
    }


async def pair(stage: Stage, connection: str, world: World) -> int:
    """How many twins are paired: all."""
    twins = [{"left": left, "right": right} for left, right in world.twins]
    answer = await stage.service.post(f"connections/{connection}/twins", {"twins": twins})
    paired: int = sum(item["status"] == "paired" for item in answer["items"])
    check("twins paired", expected=len(twins), found=paired)
    return paired


async def _shadow_plan(stage: Stage) -> dict[str, int]:
    """What the plans of this connection would do, taken together."""
    plans = await stage.service.items("plans", connection=CONNECTION, status="shadow")
    would = {name: sum(plan["counts"][name] for plan in plans) for name in ("create", "remove")}
    check("creations planned", expected=DEMO.left_only, found=would["create"])
    check("removals planned", expected=0, found=would["remove"])
    return would
