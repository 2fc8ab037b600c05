"""Every page that a link leads to: accessible, whole at any width, in light and dark."""

import re
from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.async_playwright import Axe
from axe_playwright_python.base import AxeResults
from playwright.async_api import Page

from app.demo.stage import Stage
from app.demo.steps import person as person_step
from app.demo.steps import vanish
from app.demo.teller import Teller
from tests.browser.conftest import DESK, PHONE, Person, Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(580)]

_SERIOUS = {"serious", "critical"}
_BRIEF = {"resultTypes": ["violations"]}
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_FILE = re.compile(r"\.(atom|json|md|csv|ndjson)$")
_NUMBER = re.compile(r"[0-9]+")
ZOOMED = DESK // 2
"""A window of 1280 at 200 %."""


@pytest.fixture
async def eventful(live: Stage, tell: Teller) -> Stage:
    """A link followed, sixty origins gone, the guard tripped, removals held."""
    await person_step.act(live, tell)
    await vanish.act(live, tell)
    return live


async def pages(person: Person) -> AsyncIterator[str]:
    """Each page once that links lead to from the overview on, one of each kind."""
    waiting, seen = ["/"], {"/"}
    while waiting:
        path = waiting.pop(0)
        await person.go(path)
        yield path
        found = await person.page.locator("a[href^='/']").evaluate_all(
            "links => links.map(it => it.getAttribute('href'))"
        )
        for link in found:
            kind = _kind(link)
            if kind not in seen and not link.startswith("/demo") and not _FILE.search(link):
                seen.add(kind)
                waiting.append(link)


def _kind(link: str) -> str:
    """`/plans/7` and `/plans/9` are of one kind, and so is a list however it is filtered."""
    path, _, query = link.partition("#")[0].partition("?")
    names = "&".join(sorted(part.partition("=")[0] for part in query.split("&")))
    return f"{_NUMBER.sub('N', path)}?{names}"


async def test_every_page_is_accessible_and_whole(eventful: Stage, admin: Person) -> None:
    found, walked = [], []
    async for path in pages(admin):
        walked.append(path)
        found += [f"{path}: {it}" for it in await faults(admin.page)]
        await admin.shot(f"page-{_NAME.sub('-', path).strip('-') or 'overview'}")
    assert not found, "\n".join(found)
    assert len(walked) > 20, walked


async def faults(page: Page) -> list[str]:
    """Serious findings of axe, of its contrasts in the dark too, and widths that do not fit."""
    found = _findings(await Axe().run(page, options={**_BRIEF, "runOnly": _RULES}))
    await page.emulate_media(color_scheme="dark")
    dark = await Axe().run(page, options={**_BRIEF, "runOnly": ["color-contrast"]})
    found += [f"dark: {it}" for it in _findings(dark)]
    await page.emulate_media(color_scheme="light")
    for width in (PHONE, ZOOMED):
        await page.set_viewport_size({"width": width, "height": 900})
        over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        found += [f"{over} pixels wider than {width}"] if over > 0 else []
    return found


_NAME = re.compile(r"[^a-z0-9]+")


def _findings(results: AxeResults) -> list[str]:
    return [
        f"{it['id']}: {node['html'][:120]}"
        for it in results.response["violations"]
        if it["impact"] in _SERIOUS
        for node in it["nodes"]
    ]


async def test_the_pages_of_a_stranger_are_too(stage: Stage, visit: Visit) -> None:
    person = await visit()
    for path in ("/sign-in", "/status"):
        await person.go(path)
        assert not await faults(person.page)
        await person.shot(path.strip("/"))
