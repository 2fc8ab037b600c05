"""The README's pictures of the console, made from the demo: `make pictures` runs this."""

from pathlib import Path

import asyncpg
import pytest

from app.demo.stage import Stage
from app.demo.steps import person as person_step
from app.demo.steps import vanish
from app.demo.teller import Teller
from tests.browser.conftest import Person

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
WIDTH, HEIGHT = 1160, 780

pytestmark = [pytest.mark.pictures, pytest.mark.timeout(400)]


async def test_make_the_pictures(
    live: Stage, tell: Teller, admin: Person, db: asyncpg.Pool
) -> None:
    await person_step.act(live, tell)
    await vanish.act(live, tell)
    await db.execute(
        "UPDATE plans SET created_at = created_at - interval '31 seconds'"
        " WHERE status = 'gathering'"
    )
    page = admin.page
    await page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    await admin.go("/")
    held = page.locator("tr", has_text="held").get_by_role("link", name="Plan")
    await held.wait_for(timeout=30_000)
    await picture(admin, "overview")
    await held.click()
    await page.locator(".changes summary").first.click()
    await picture(admin, "plan")
    await admin.go("/explore?issue=A-1")
    await page.locator(".timeline").first.evaluate("it => it.parentElement.open = true")
    await picture(admin, "explore")


async def picture(admin: Person, name: str) -> None:
    """What fits a screen, from the page's top."""
    await admin.page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    await admin.page.screenshot(path=PICTURES / f"{name}.png")
