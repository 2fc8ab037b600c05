"""Debian's Chromium on a real service with two sandbox sites: what a person sees and can do.

`make browser` runs these tests and installs the browser where it is missing. Each leaves
screenshots in `build/screenshots`.
"""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from app.demo.stage import Stage
from app.demo.teller import Teller
from tests.api.conftest import ADMIN
from tests.demo.conftest import (
    address,
    bound,
    demo_settings,
    logging_as_it_was,
    stage,
    tell,
    told,
)
from tests.demo.test_demo import play_until_live

__all__ = ["address", "bound", "demo_settings", "logging_as_it_was", "stage", "tell", "told"]

SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
DESK, PHONE = 1280, 390
_HEIGHT = 900
_SECONDS = 20_000.0  # in Playwright's milliseconds
_ARGUMENTS = (
    "--no-sandbox",  # the tests may run as root, and visit their own service alone
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Person:
    """A browser of one's own: no cookie is shared. `complaints` is what its console said."""

    context: BrowserContext
    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    async def go(self, path: str) -> None:
        answer = await self.page.goto(self.address + path)
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"

    async def sign_in(self, token: str = ADMIN) -> None:
        await self.page.goto(self.address)
        await self.page.get_by_label("API token").fill(token)
        await self.page.get_by_role("button", name="Sign in").click()
        await expect(self.page.get_by_role("heading", name="Overview")).to_be_visible()

    async def click(self, name: str, role: str = "button") -> None:
        """The first of what has exactly this name; scrolls and waits as a person would."""
        await self.page.get_by_role(role, name=name, exact=True).first.click()  # type: ignore[arg-type]

    async def sees(self, text: str) -> None:
        await expect(self.page.locator("main")).to_contain_text(text, timeout=_SECONDS)

    async def shot(self, name: str) -> None:
        """At a desk's width and at a telephone's."""
        for width in (DESK, PHONE):
            await self.page.set_viewport_size({"width": width, "height": _HEIGHT})
            await self.page.screenshot(path=SHOTS / f"{name}-{width}.png", full_page=True)
        await self.page.set_viewport_size({"width": DESK, "height": _HEIGHT})


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("Chromium is not installed; `make browser` installs it")
    SHOTS.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield made
        await made.close()


Visit = Callable[[], Awaitable[Person]]


@pytest.fixture
async def visit(chromium: Browser, address: str) -> AsyncIterator[Visit]:
    """New people, each in a browser of their own. None may have had a script fail or a policy
    violated: that fails the test."""
    people: list[Person] = []

    async def new() -> Person:
        context = await chromium.new_context(viewport={"width": DESK, "height": _HEIGHT})
        context.set_default_timeout(_SECONDS)
        person = Person(context, await context.new_page(), address)
        context.on("weberror", lambda it: person.complaints.append(str(it.error)))
        context.on("dialog", lambda it: person.complaints.append(f"dialog: {it.message}"))
        context.on(
            "console",
            lambda it: person.complaints.append(it.text) if it.type == "error" else None,
        )
        people.append(person)
        return person

    yield new
    for person in people:
        await person.context.close()
        # An answer of 401, or a stream that ended with its server, is no fault of a page.
        assert not [it for it in person.complaints if "Failed to load resource" not in it]


@pytest.fixture
async def live(stage: Stage, tell: Teller) -> Stage:
    """With the connection `demo`, live and at rest."""
    await play_until_live(stage, tell)
    return stage


@pytest.fixture
async def admin(visit: Visit, stage: Stage) -> Person:
    """Signed in as the administrator."""
    person = await visit()
    await person.sign_in()
    return person


async def token_of(address: str, **body: object) -> str:
    """A new token's text."""
    headers = {"Authorization": f"Bearer {ADMIN}"}
    async with httpx.AsyncClient(base_url=address, headers=headers, trust_env=False) as client:
        made = await client.post("/api/v1/tokens", json=body)
        made.raise_for_status()
        return str(made.json()["token"])
