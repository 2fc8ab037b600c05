"""From nothing to a live connection by the set-up alone, in a real browser: no command, no call.

On the left the account may register the webhook; on the right an administrator enters it by hand,
from what the page shows.
"""

import re

import pytest
from playwright.async_api import Page, expect

from app.demo import people
from app.demo.service import CONNECTION
from app.demo.stage import SideName, Stage
from app.sandbox import token_of
from app.sandbox.worlds import ACCOUNT, ADMIN, DEMO
from tests.browser.conftest import Person
from tests.browser.test_every_page import faults

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

_EVENTS = ("issuelink_created", "issuelink_deleted", "jira:issue_updated", "jira:issue_deleted")


async def test_from_nothing_to_live(stage: Stage, admin: Person) -> None:
    stage.left.site.user(ACCOUNT).admin = True
    await admin.click("Set up the first connection", "link")
    await whole(admin, "setup-1-nothing")
    await _left(stage, admin)
    await _right(stage, admin)
    await _join(stage, admin)
    await _twins(stage, admin)
    await _shadow(stage, admin)
    await _raise(stage, admin)
    before = len(stage.right.site.links)
    number = await people.link(stage.left, "ann", *_free(stage))
    await stage.quiet("a link that a person made")
    assert len(stage.right.site.links) == before + 1, "it is mirrored"
    await people.unlink_all(stage.left, "ann", [number])
    await stage.quiet("its origin gone")
    assert len(stage.right.site.links) == before, "and its mirror follows it"


async def whole(admin: Person, name: str) -> None:
    """Its screenshots, at both widths; accessible in light and dark, and no wider than the page."""
    assert not await faults(admin.page)
    await admin.shot(name)


def _free(stage: Stage) -> tuple[str, str, str]:
    [(source, destination)] = people.free_pairs(stage.world, 1)
    return source, "Blocks", destination


async def _left(stage: Stage, admin: Person) -> None:
    """With a wrong token first: what is found comes with what to do."""
    user, page = stage.left.site.user(ACCOUNT), admin.page
    await admin.click("Add the first site", "link")
    await page.get_by_label("What to call it here").fill("left")
    await page.get_by_label("Address of the Jira").fill("jira.invalid")
    await page.get_by_label("E-mail of the account").fill(user.email)
    await page.get_by_label("Token", exact=True).fill("wrong")
    await page.get_by_label("Nothing and no person").check()
    await admin.click("Store and check")
    await admin.sees("does not answer")
    await whole(admin, "setup-2-site-fault")
    await page.get_by_label("Address of the Jira").fill(f"{stage.left.base_url}/browse/A-1")
    await page.get_by_label("Token", exact=True).fill("wrong")
    await admin.click("Store and check")
    await admin.sees("It cannot be used like this")
    await whole(admin, "setup-3-site-finding")
    await page.get_by_label("Token", exact=True).fill(token_of(stage.left.site, ACCOUNT))
    await page.get_by_label("E-mail of the account").fill(user.email)
    await admin.click("Store and check")
    await admin.sees("It can be used")
    await admin.click("Register it")
    await admin.sees("The webhook is registered")
    await whole(admin, "setup-4-site")


async def _right(stage: Stage, admin: Person) -> None:
    page = admin.page
    await admin.go("/setup")
    await admin.click("Add another site", "link")
    await page.get_by_label("What to call it here").fill("right")
    await page.get_by_label("Address of the Jira").fill(stage.right.base_url)
    if stage.right.site.flavour == "cloud":
        await page.get_by_label("E-mail of the account").fill(stage.right.site.user(ACCOUNT).email)
    else:
        await page.get_by_label("Personal access token").check()
    await page.get_by_label("Token", exact=True).fill(token_of(stage.right.site, ACCOUNT))
    await page.get_by_label("Nothing and no person").check()
    await admin.click("Store and check")
    await admin.sees("It can be used")
    await admin.click("Register it")
    await admin.sees("The account may lack Administer Jira")
    await admin.click("Make a new secret and show it once")
    await whole(admin, "setup-5-webhook-by-hand")
    url, secret = await page.locator(".copy code").all_inner_texts()
    body = {"name": "Twinlink", "url": url, "events": list(_EVENTS), "secret": secret}
    async with stage.right.client(ADMIN) as client:
        answer = await client.post("/rest/webhooks/1.0/webhook", json=body)
    assert answer.status_code == 201


async def _join(stage: Stage, admin: Person) -> None:
    page = admin.page
    await admin.go("/setup")
    await admin.click("Start a new connection", "link")
    await page.get_by_label("What to call the connection").fill(CONNECTION)
    await page.get_by_label("Left", exact=True).select_option("left")
    await page.get_by_label("Right", exact=True).select_option("right")
    await admin.click("On: projects and link types")
    await page.get_by_label(stage.world.left_project, exact=True).check()
    await page.get_by_label(stage.world.right_project, exact=True).check()
    await _map(stage, page)
    await whole(admin, "setup-6-scope")
    await admin.click("Make the connection, in shadow")
    await admin.sees("Stored as revision 1")
    for left, right in stage.world.types:
        await admin.sees(f"{left} = {right}")


async def _map(stage: Stage, page: Page) -> None:
    """The demo's types have names and wordings of their own on each side: none is proposed."""
    right = dict(stage.world.types)
    for it in stage.left.site.types.values():
        if it.system:
            continue
        chosen = page.get_by_label(f"Type of right for {it.name}", exact=True)
        other = right.get(it.name)
        value = "" if other is None else str(stage.right.site.link_type(other).id)
        await chosen.select_option(value)


async def _twins(stage: Stage, admin: Person) -> None:
    """By a file with a row that cannot be paired. The issues without a twin have equal numbers."""
    page, rows = admin.page, [",".join(pair) for pair in stage.world.twins]
    await admin.click("Pair issues", "link")
    content = "\n".join(["left,right", "A-99999,B-99999", *rows]).encode()
    await page.get_by_label("File", exact=True).set_input_files(
        {"name": "twins.csv", "mimeType": "text/csv", "buffer": content}
    )
    await admin.click("Pair them")
    await admin.sees("unknown issue")
    await whole(admin, "setup-7-twins-report")
    await admin.click("Preview")
    await expect(page.get_by_role("heading", name=re.compile("of equal number"))).to_be_visible()
    await whole(admin, "setup-8-twins-preview")
    await admin.click(CONNECTION, "link")


async def _shadow(stage: Stage, admin: Person) -> None:
    await stage.quiet("the first comparison")
    await admin.sees(f"make {DEMO.left_only} links")
    await expect(admin.page.locator("svg.flow")).to_contain_text(f"+{DEMO.left_only}")
    await whole(admin, "setup-9-shadow")


async def _raise(stage: Stage, admin: Person) -> None:
    """Each mode says before the click what it does."""
    await admin.sees(f"Makes {DEMO.left_only} links at once")
    for side in _SIDES:
        assert not [it for it in stage.sites[side].site.mutations if it.actor == ACCOUNT]
    for mode in ("create only", "review", "live"):
        await admin.click(f"Raise to {mode}")
        await admin.sees("The mode has changed")
        await stage.quiet(mode)
    await admin.sees("It is live")
    await whole(admin, "setup-10-live")
    await admin.page.emulate_media(color_scheme="dark")
    await admin.shot("setup-10-live-dark")
    await admin.page.emulate_media(color_scheme="light")


_SIDES: tuple[SideName, ...] = ("left", "right")
