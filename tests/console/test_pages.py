"""Every page: it answers, shows what its token may see, and text is text."""

import re
from collections.abc import Callable

from app.api.auth.roles import V1
from tests.api.conftest import Api, Jira
from tests.api.flow import Flow
from tests.console.conftest import Browser, text_of

Browse = Callable[[], Browser]
PAGES = (
    "/",
    "/plans",
    "/incidents",
    "/explore",
    "/explore?issue=A-1",
    "/explore?issue=nonsense",
    "/audit",
    "/audit?connection=ab&status=applied",
    "/deliveries",
    "/failures",
    "/resyncs",
    "/restores",
    "/rescues",
    "/intents",
    "/recover",
    "/recover/adopt",
    "/connections/ab/adoptions",
    "/sites",
    "/setup",
    "/setup/sites",
    "/setup/sites/left",
    "/setup/new",
    "/setup/new?name=third&left=left&right=right",
    "/connections/ab",
    "/setup/connections/ab",
    "/setup/connections/ab/scope",
    "/setup/connections/ab/twins",
    "/connections/ab?span=30d",
    "/connections/ab?span=1y",
    "/connections/ab/links",
    "/connections/ab/twins",
)


async def linked(flow: Flow) -> None:
    """One managed link, its origin gone, its removal held."""
    await flow.mode("review")
    made = flow.ann.link("A-1", "Blocks", "A-2")
    await flow.compare()
    flow.ann.unlink(made)
    await flow.compare()


async def test_every_page_answers(flow: Flow, browser: Browser) -> None:
    await linked(flow)
    for path in PAGES:
        page = await browser.get(path)
        assert "<h1" in page, path
    plans = await browser.get("/plans")
    for number in re.findall(r'href="/plans/(\d+)"', plans):
        assert f"Plan {number}" in await browser.get(f"/plans/{number}")


async def test_what_is_not_there_is_a_page_too(browser: Browser) -> None:
    for path in (
        "/sandbox",
        "/plans/77",
        "/connections/nope",
        "/incidents/1",
        "/resyncs/9",
        "/restores/9",
    ):
        assert "Back to the overview" in await browser.get(path, 404), path


async def test_a_viewer_is_offered_nothing_to_do(browse: Browse, flow: Flow, api: Api) -> None:
    await linked(flow)
    body = {"role": "viewer", "owner": "eva"}
    browser = browse()
    await browser.sign_in((await api.client().post(f"{V1}/tokens", json=body)).json()["token"])
    plans = re.findall(r'href="(/plans/\d+)"', await browser.get("/plans"))
    for path in (*PAGES, *plans):
        page = await browser.get(path)
        actions = re.findall(r'method="post" action="([^"]+)"', page)
        assert set(actions) <= {"/sign-out"}, path
    for path in ("/connections/ab/pause", "/connections/ab/mode", f"{plans[0]}/approve"):
        assert (await browser.send(path, mode="live", digest="x")).status_code == 403


async def test_a_confined_token_sees_nothing_of_others(
    browse: Browse, flow: Flow, api: Api, connected: Jira
) -> None:
    await linked(flow)
    await flow.call("PUT", f"{V1}/connections/zz", _other())
    body = {"role": "admin", "owner": "eva", "connections": ["zz"]}
    made = await api.client().post(f"{V1}/tokens", json=body)
    browser = browse()
    await browser.sign_in(made.json()["token"])
    for path in PAGES:
        code = 404 if path.startswith(("/connections/ab", "/setup/connections/ab")) else 200
        page = text_of(await browser.get(path, code))
        assert "A-2" not in page, path
        assert " ab " not in page, path


def _other() -> dict[str, object]:
    ends = {side: {"site": side, "projects": [f"{key}X"]} for side, key in _KEYS.items()}
    types = [{"left": "Blocks", "right": "Blocks", "reversed": False}]
    return {**ends, "direction": "left_to_right", "link_types": types}


_KEYS = {"left": "A", "right": "B"}

HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m"


async def test_text_from_jira_is_text(flow: Flow, browser: Browser) -> None:
    await linked(flow)
    await flow.db.execute("UPDATE link_types SET name = $1", HOSTILE)
    for path in (*PAGES, "/plans/1", "/plans/2"):
        page = (await browser.http.get(path)).text
        assert "<script>alert" not in page, path
        assert "\x1b" not in page, path
        assert "\u202e" not in page, path


async def test_a_plan_is_approved_with_its_digest(flow: Flow, browser: Browser) -> None:
    await linked(flow)
    await flow.sealed()
    [path] = set(re.findall(r'href="(/plans/\d+)"', await browser.get("/plans?status=held")))
    page = await browser.get(path)
    assert "1 removal" in text_of(page)
    assert "every removal waits for a decision" in text_of(page)
    assert "the origin is proven gone" in text_of(page)
    digest = re.findall(r'name="digest" value="([0-9a-f]+)"', page)[0]
    stale = await browser.send(f"{path}/approve", digest="0" * 64)
    assert stale.status_code == 409
    assert "not the one that was reviewed" in stale.text
    done = await browser.send(f"{path}/approve", digest=digest, note="meant")
    assert done.status_code == 200
    assert "Approved" in done.text
    await flow.run()
    assert not flow.mirrors
    assert "applied" in text_of(await browser.get(path))


async def test_an_approval_is_revoked(flow: Flow, browser: Browser) -> None:
    await linked(flow)
    await flow.sealed()
    [path] = set(re.findall(r'href="(/plans/\d+)"', await browser.get("/plans?status=held")))
    digest = (await flow.call("GET", f"/api/v1{path}"))["digest"]
    await browser.send(f"{path}/approve", digest=digest)
    assert "Revoke the approval" in await browser.get(path)
    revoked = (await browser.send(f"{path}/revoke", note="wait")).text
    assert "The approval is revoked" in revoked
    assert "Revoke the approval" not in revoked


async def test_a_rejected_plan_keeps_the_links(flow: Flow, browser: Browser) -> None:
    await linked(flow)
    await flow.sealed()
    [path] = set(re.findall(r'href="(/plans/\d+)"', await browser.get("/plans?status=held")))
    page = await browser.get(path)
    digest = re.findall(r'name="digest" value="([0-9a-f]+)"', page)[0]
    assert "Rejected" in (await browser.send(f"{path}/reject", digest=digest)).text
    assert len(flow.mirrors) == 1


async def test_a_held_plan_says_who_removed_the_origins(flow: Flow, browser: Browser) -> None:
    await linked(flow)
    plan = await flow.sealed()
    assert plan["origins_removed"]["removals"] == plan["origins_removed"]["accounts"] == 1
    [change] = plan["changes"]
    ann = flow.jira.left.site.user("ann")
    assert ann.account_id not in str(plan)
    assert len(change["evidence"]["origin_removed_by"]) == 12
    page = await browser.get(f"/plans/{plan['id']}")
    assert "Who removed the origins: one account, one removal" in text_of(page)
    assert f'href="{flow.jira.left.base_url}/browse/A-1"' in page


async def test_what_was_removed_is_put_back_from_the_page(flow: Flow, browser: Browser) -> None:
    await flow.mode("live")
    made = flow.ann.link("A-1", "Blocks", "A-2")
    await flow.compare()
    flow.ann.unlink(made)
    await flow.compare()
    assert not flow.mirrors
    await browser.get("/recover")
    asked = await browser.send("/recover/restore", connection="ab", operation="remove")
    assert asked.status_code == 200
    await flow.run()
    page = await browser.get(asked.url.path)
    assert "waits for a decision" in page
    path = re.findall(r'href="(/plans/\d+)"', page)[0]
    digest = re.findall(r'name="digest" value="([0-9a-f]+)"', await browser.get(path))[0]
    await browser.send(f"{path}/approve", digest=digest)
    await flow.run()
    assert len(flow.mirrors) == 1
    assert "succeeded" in text_of(await browser.get(asked.url.path))
    for kind, media in (("md", "text/markdown"), ("csv", "text/csv")):
        report = await browser.http.get(f"{asked.url.path}/report.{kind}")
        assert report.headers["content-type"].startswith(media)
        assert "attachment" in report.headers["content-disposition"]
        assert "applied:" in report.text.replace("\\", "")
        assert "B-1" in report.text
    assert (await browser.http.get(f"{asked.url.path}/report.exe")).status_code == 404


async def test_nothing_chosen_is_said(flow: Flow, browser: Browser) -> None:
    await browser.get("/recover")
    answer = await browser.send("/recover/restore", operation="remove", since="last tuesday")
    assert answer.status_code == 422
    assert "/since" in answer.text


async def test_a_token_is_shown_once(browser: Browser, browse: Browse) -> None:
    await browser.get("/tokens")
    made = await browser.send("/tokens", owner="eva", role="viewer")
    [text] = re.findall(r"twl_[A-Za-z0-9_-]{43}", made.text)
    assert text not in await browser.get("/tokens")
    other = browse()
    assert (await other.sign_in(text)).status_code == 200
    [number] = re.findall(r'action="/tokens/(\d+)/revoke"', await browser.get("/tokens"))
    await browser.send(f"/tokens/{number}/revoke")
    assert "API token" in await other.get("/")


async def test_a_site_is_checked(flow: Flow, browser: Browser) -> None:
    await browser.get("/sites")
    assert "Check of left" in (await browser.send("/sites/left/check")).text


async def test_a_failure_is_dismissed_on_its_page(flow: Flow, browser: Browser) -> None:
    await flow.db.execute(
        """UPDATE work SET failed_at = now(), failure = 'link_limit', done = generation
           WHERE twin_id = 1"""
    )
    page = await browser.get("/failures")
    assert "link limit" in text_of(page)
    await browser.send("/failures/1/dismiss", reason="the customer knows")
    assert "link limit" not in text_of(await browser.get("/failures"))
    assert "the customer knows" in text_of(await browser.get("/failures?dismissed=true"))
