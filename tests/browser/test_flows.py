"""What a person does at the console, from signing in to signing out, in a real browser."""

import asyncpg
import pytest
from playwright.async_api import expect

from app.demo import people
from app.demo.service import CONNECTION
from app.demo.stage import Stage
from app.demo.steps.connect import configuration
from app.process import event_streams
from app.sandbox.worlds import USUAL
from tests.api.conftest import ADMIN
from tests.browser.conftest import Person, Visit, token_of
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

SHIFTS = """() => { window.shifts = 0; new PerformanceObserver((list) => {
    for (const it of list.getEntries()) window.shifts += it.value;
}).observe({ type: "layout-shift", buffered: true }); }"""


async def test_signing_in_and_out(visit: Visit, stage: Stage) -> None:
    person = await visit()
    await person.page.goto(person.address + "/plans?status=held")
    await person.page.get_by_label("API token").fill("no such token at all")
    await person.click("Sign in")
    await expect(person.page.get_by_role("alert")).to_contain_text("No such token")
    await person.shot("sign-in")
    await person.page.get_by_label("API token").fill(ADMIN)
    await person.click("Sign in")
    await expect(person.page.get_by_role("heading", name="Plans", exact=True)).to_be_visible()
    assert person.page.url.endswith("/plans?status=held")

    thief = await visit()
    await thief.context.add_cookies(await person.context.cookies())  # type: ignore[arg-type]
    await thief.go("/")
    await expect(thief.page.get_by_role("heading", name="Overview")).to_be_visible()
    await person.page.locator("summary", has_text="bootstrap").click()
    await person.click("Sign out")
    await expect(person.page.get_by_label("API token")).to_be_visible()
    await thief.page.reload()
    await expect(thief.page.get_by_label("API token")).to_be_visible()


async def test_a_link_made_in_jira_appears_without_a_reload(live: Stage, admin: Person) -> None:
    await admin.go(f"/connections/{CONNECTION}")
    await admin.page.evaluate(SHIFTS)
    chart = admin.page.locator("svg.chart")
    before = await chart.get_attribute("aria-label")
    for source, destination in people.free_pairs(live.world, 3):
        await people.link(live.left, "ann", source, "Blocks", destination)
    await live.quiet("three links")
    await expect(chart).not_to_have_attribute("aria-label", before or "", timeout=15_000)
    assert await admin.page.evaluate("window.shifts") == 0, "the page was not reloaded, nor moved"
    await admin.shot("connection")


async def test_a_page_that_is_refused_a_stream_looks_by_itself(
    live: Stage, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with too many pages open: it lags behind, and is not dead."""
    monkeypatch.setattr(event_streams, "PER_SESSION", 0)
    await admin.go(f"/connections/{CONNECTION}")
    chart = admin.page.locator("svg.chart")
    before = await chart.get_attribute("aria-label")
    for source, destination in people.free_pairs(live.world, 3):
        await people.link(live.left, "ann", source, "Blocks", destination)
    await live.quiet("three links")
    await expect(chart).not_to_have_attribute("aria-label", before or "", timeout=40_000)


async def test_an_issue_is_explored_from_the_audit(live: Stage, admin: Person) -> None:
    await people.link(live.left, "ann", "A-1", "Blocks", "A-2")
    await live.quiet("one link")
    await admin.go("/audit")
    await admin.click("B-1", "link")
    await expect(admin.page.get_by_role("heading", name="Issue B-1")).to_be_visible()
    await expect(admin.page.locator("svg.graph .node.self")).to_contain_text("A-1 · B-1")
    assert await admin.page.locator("svg.graph .edge.managed").count()
    row = admin.page.locator("tr", has_text="managed").first
    await row.locator("summary").click()
    await expect(row.locator(".timeline li").first).to_contain_text("create")
    await admin.shot("explorer")
    await admin.page.locator("svg.graph a").first.click()
    await admin.page.wait_for_url("**/explore?issue=*")


async def test_a_second_owner_approves(
    live: Stage, admin: Person, visit: Visit, db: asyncpg.Pool
) -> None:
    number = await people.link(live.left, "ann", "A-1", "Blocks", "A-2")
    await live.quiet("one link")
    config = {**configuration(live.world), "approvals": 2}
    await live.service.put(f"connections/{CONNECTION}", config)
    await live.service.put(f"connections/{CONNECTION}/mode", {"mode": "review"})
    await people.unlink_all(live.left, "ann", [number])
    await live.quiet("its origin gone")
    await db.execute(
        "UPDATE plans SET created_at = created_at - interval '31 seconds'"
        " WHERE status = 'gathering'"
    )
    await admin.go("/")
    removal = admin.page.locator("tr", has_text="held")
    await removal.get_by_role("link", name="Plan").click(timeout=30_000)
    await admin.sees("the first approval waits for another one's")
    await admin.shot("plan")
    await admin.click("Approve 1 removal")
    await admin.sees("Approved by bootstrap")
    second = await visit()
    token = await token_of(live.address, role="approver", owner="eva")
    await second.sign_in(token)
    await second.page.goto(admin.page.url.partition("?")[0])
    await second.click("Approve 1 removal")
    await expect(second.page.locator("h1")).to_contain_text("applied", timeout=20_000)
    await expect(admin.page.locator("h1")).to_contain_text("applied", timeout=20_000)


async def test_a_confined_viewer_sees_no_action_and_nothing_of_others(
    live: Stage, visit: Visit
) -> None:
    config = configuration(live.world)
    other = {
        **config,
        "left": {**config["left"], "projects": [USUAL.left_outside]},
        "right": {**config["right"], "projects": [USUAL.right_outside]},
    }
    await live.service.put("connections/theirs", other)
    token = await token_of(live.address, role="viewer", owner="eva", connections=["theirs"])
    viewer = await visit()
    await viewer.sign_in(token)
    for name in ("Overview", "Plans", "Incidents", "Explore", "Recover", "Audit", "Work"):
        await viewer.page.get_by_label("Main").get_by_role("link", name=name, exact=True).click()
        assert not await viewer.page.locator("main form[method=post]").count(), name
        await expect(viewer.page.locator("main")).not_to_contain_text(CONNECTION)
    await viewer.page.goto(f"{viewer.address}/connections/{CONNECTION}")
    await viewer.sees("Status 404")
    await viewer.page.goto(f"{viewer.address}/connections/theirs")
    assert not await viewer.page.locator("main form[method=post]").count()
    await viewer.shot("confined-viewer")


async def test_another_page_can_do_nothing_here(live: Stage, admin: Person) -> None:
    """A form of another origin carries no cookie; a script in ours does not run."""
    lure = f"""<form method="post" action="{live.address}/connections/{CONNECTION}/pause">
        <input name="csrf" value="guessed"><button>Win a prize</button></form>"""
    page = await admin.context.new_page()
    await page.route(
        "http://lure.example/",
        lambda route: route.fulfill(body=lure, content_type="text/html"),
    )
    await page.goto("http://lure.example/")
    await page.get_by_role("button").click()
    await page.wait_for_url(f"{live.address}/**")
    assert not (await live.service.connection())["paused"]

    await admin.go("/")
    ran = await admin.page.evaluate(
        """() => { const it = document.createElement("script"); it.textContent = "window.ran = 1";
            document.body.append(it); return window.ran === 1; }"""
    )
    assert not ran
    [complaint] = admin.complaints
    assert "Content Security Policy" in complaint
    admin.complaints.clear()


async def test_text_from_jira_is_shown_and_runs_nothing(
    live: Stage, admin: Person, db: asyncpg.Pool
) -> None:
    await people.link(live.left, "ann", "A-1", "Blocks", "A-2")
    await live.quiet("one link")
    await db.execute(
        "UPDATE link_types SET name = $1", "<img src=x onerror=\"alert('no')\">\u202eevil"
    )
    await admin.go(f"/connections/{CONNECTION}/links")
    await admin.sees("<img src=x onerror=\"alert('no')\">")
    assert not await admin.page.locator("main img").count()


async def test_a_plan_is_reviewed_by_keyboard_alone(
    live: Stage, visit: Visit, db: asyncpg.Pool
) -> None:
    number = await people.link(live.left, "ann", "A-1", "Blocks", "A-2")
    await live.quiet("one link")
    await live.service.put(f"connections/{CONNECTION}/mode", {"mode": "review"})
    await people.unlink_all(live.left, "ann", [number])
    await live.quiet("its origin gone")
    await db.execute(
        "UPDATE plans SET created_at = created_at - interval '31 seconds'"
        " WHERE status = 'gathering'"
    )
    held = "SELECT count(*) > 0 FROM plans WHERE status = 'held'"
    await until(lambda: db.fetchval(held), "a plan that waits")
    person = await visit()
    await person.page.goto(person.address + "/plans?status=held")
    await person.page.keyboard.type(ADMIN)  # the field has the focus
    await person.page.keyboard.press("Enter")
    await expect(person.page.get_by_role("heading", name="Plans", exact=True)).to_be_visible()
    await person.page.keyboard.press("Tab")
    await expect(person.page.locator(":focus")).to_have_text("Skip to the content")
    await person.page.keyboard.press("Enter")
    await until_focused(person, "Plan ")
    await person.page.keyboard.press("Enter")
    await person.page.wait_for_url("**/plans/*")
    await until_focused(person, "Why: ")
    await person.page.keyboard.press("Enter")
    await expect(person.page.locator("details[open] .evidence").first).to_be_visible()
    await person.page.reload()
    await until_focused(person, "Approve 1 removal")
    box = await person.page.locator(":focus").evaluate("it => getComputedStyle(it).outlineStyle")
    assert box == "solid", "what has the focus shows it"
    await person.page.keyboard.press("Enter")
    await expect(person.page.locator("h1")).to_contain_text("applied", timeout=20_000)


async def until_focused(person: Person, text: str) -> None:
    """By the Tab key."""
    for _ in range(80):
        await person.page.keyboard.press("Tab")
        focused = person.page.locator(":focus")
        if await focused.count() and (await focused.inner_text()).startswith(text):
            return
    pytest.fail(f"no Tab leads to {text!r}")
