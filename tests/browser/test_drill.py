"""The drill of the incident, done by mouse at the console, from the trip to everything restored.

The script's deletions come from the sandbox's own drill, which also judges the end; what an
approver does in between is done in the browser alone.
"""

import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from app.demo.drill.checks import restored, untouched
from app.demo.drill.scene import Scene, open_scene
from app.demo.drill.steps import ground, held, script, stands
from app.demo.drill.worlds import ALPHA, BETA
from app.demo.teller import Teller
from app.sandbox.worlds import TOOL
from app.settings import Settings
from tests.browser.conftest import Person, Visit
from tests.demo.conftest import VERSIONS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(580)]

_MINUTES = 150_000.0


@pytest.fixture
async def scene(
    demo_settings: Settings, bound: socket.socket, address: str, tell: Teller
) -> AsyncIterator[Scene]:
    async with open_scene(demo_settings, bound, address, VERSIONS) as scene:
        for act in (ground.act, script.act, held.act):
            await act(scene, tell)
        yield scene


async def test_the_incident_is_put_right_by_mouse(scene: Scene, visit: Visit, tell: Teller) -> None:
    admin = await visit()
    await admin.sign_in()
    await admin.sees("The guard holds removals")
    await admin.shot("drill-1-overview")
    await _incident(admin, ALPHA)
    await admin.shot("drill-2-incident")
    await admin.click("Roll back to revision 1 and undo what came after it")
    await admin.sees("Rolled back")
    await _approve(admin)
    await admin.shot("drill-3-rolled-back")
    await admin.page.locator("p.problem").get_by_role("link", name="Plan").click()
    await _approve(admin)
    await _incident(admin, BETA)
    await admin.click("Plan to put back what was removed")
    await _approve_restore(admin, "drill-restore")
    for name in (ALPHA, BETA):
        await _reject_held(admin, name)
        await _arm(admin, name)
    await _rescue(scene, admin)
    await admin.shot("drill-4-restored")
    await scene.stage.quiet("the origins again", seconds=120.0)
    await stands.act(scene, tell)
    untouched(scene)
    restored(scene)
    await admin.go("/")
    await admin.shot("drill-5-overview")


async def _incident(admin: Person, name: str) -> None:
    await admin.click("Overview", "link")
    card = admin.page.locator("li.card", has_text=name)
    await card.get_by_role("link").first.click()


async def _approve(admin: Person) -> None:
    """The plan that is shown, once it is sealed, to its last change."""
    button = admin.page.get_by_role("button", name=re.compile("^Approve"))
    await button.click(timeout=_MINUTES)
    await expect(admin.page.locator("h1")).to_contain_text("applied", timeout=_MINUTES)


async def _approve_restore(admin: Person, name: str) -> None:
    """Followed on its own page to its end, and its report saved."""
    await admin.page.get_by_role("link", name="Review plan").click(timeout=_MINUTES)
    await _approve(admin)
    await admin.page.go_back()
    await admin.page.go_back()
    await expect(admin.page.locator("h1")).to_contain_text("succeeded", timeout=_MINUTES)
    await admin.shot(name)
    async with admin.page.expect_download() as download:
        await admin.click("Report (Markdown)", "link")
    text = _read(await (await download.value).path())
    assert "succeeded" in text
    assert "applied" in text


async def _reject_held(admin: Person, name: str) -> None:
    """Every plan of removals that waits, one after the other."""
    while True:
        await admin.click("Overview", "link")
        await admin.page.get_by_role("heading", name="Overview").wait_for()
        plans = admin.page.locator("tr", has_text=name)
        if not await plans.count():
            return
        await plans.get_by_role("link", name="Plan").first.click()
        await admin.click("Reject")
        await admin.sees("Rejected")


async def _arm(admin: Person, name: str) -> None:
    await admin.click("Overview", "link")
    await admin.click(name, "link")
    await admin.click("Reset the guard")
    await admin.sees("The guard is armed again")


async def _rescue(scene: Scene, admin: Person) -> None:
    """What the script deleted comes back from Jira's own changelog. The incident fills the times
    in; only the account is typed."""
    await _incident(admin, ALPHA)
    await admin.click("Put back what another tool removed", "link")
    form = admin.page.locator("form[action='/recover/rescue']")
    await form.get_by_label("Site").select_option("left")
    await form.get_by_label("Account id").fill(scene.stage.left.site.user(TOOL).account_id)
    await form.get_by_role("button").click()
    await _approve_restore(admin, "drill-rescue")


def _read(path: Path) -> str:
    return path.read_text()
