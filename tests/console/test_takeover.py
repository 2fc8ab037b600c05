"""Taking over from the console: another product's links, and a Jira that has moved."""

import re
from collections.abc import Callable

from app.api.auth.roles import V1
from app.sandbox import serve
from app.sandbox.people import person_on
from app.sandbox.site import JiraSite
from app.sync.recovery import adopt
from tests.api.conftest import Jira
from tests.api.flow import Flow
from tests.api.routes.test_adoptions import former
from tests.console.conftest import Browser, text_of
from tests.console.test_setup import fault_of

__all__ = ["former"]
Browse = Callable[[], Browser]
EVER = {"since": "2000-01-01T00:00", "until": "2100-01-01T00:00"}


async def test_another_tools_links_are_taken_over_by_two_owners(
    former: Flow, browser: Browser, browse: Browse
) -> None:
    assert 'href="/recover/adopt"' in await browser.get("/recover")
    await browser.get("/recover/adopt")
    asked = await browser.send("/recover/adopt", connection="ab", account_id="othersync", **EVER)
    assert asked.url.path.startswith("/connections/ab/adoptions/")
    assert "Both sites and their changelogs are read" in asked.text
    await adopt.run_once(former.ctx)
    page = await browser.get(asked.url.path)
    assert "The plan waits for two owners" in page
    assert "Can be adopted 1" in text_of(page)
    [path] = re.findall(r'href="(/plans/\d+)"', page)
    digest = re.findall(r'name="digest" value="([0-9a-f]+)"', await browser.get(path))[0]
    await browser.send(f"{path}/approve", digest=digest)
    other = browse()
    made = await former.client.post(f"{V1}/tokens", json={"role": "approver", "owner": "eva"})
    await other.sign_in(made.json()["token"])
    await other.get(path)
    await other.send(f"{path}/approve", digest=digest)
    await adopt.run_once(former.ctx)
    page = await browser.get(asked.url.path)
    assert "kept in step from now on" in page
    assert "1 of 1" in text_of(page)
    assert "succeeded" in text_of(await browser.get("/connections/ab/adoptions"))


async def test_a_persons_account_is_refused_and_named_twice(former: Flow, browser: Browser) -> None:
    person_on(former.jira.right.site, "othersync").link("B-3", "Blocks", "B-1")
    await former.compare()
    await browser.get("/recover/adopt")
    form = {"connection": "ab", "account_id": "othersync", **EVER}
    asked = await browser.send("/recover/adopt", **form)
    await adopt.run_once(former.ctx)
    page = await browser.get(asked.url.path)
    assert "It wrote 1 link on these issues" in text_of(page)
    assert "othersync" not in page, "the account is kept as a hash alone"
    again = await browser.send("/recover/adopt", **form)
    assert again.status_code == 409
    assert "writes links as a person does" in text_of(again.text)
    assert 'value="othersync"' in again.text, "what was typed stays"
    wrong = await browser.send("/recover/adopt", **form, confirm_account="othersynk")
    assert "must repeat account_id" in fault_of(wrong.text, "confirm_account")
    sure = await browser.send("/recover/adopt", **form, confirm_account="othersync")
    assert "Both sites and their changelogs are read" in sure.text


async def test_what_is_wrong_is_said_at_its_field(flow: Flow, browser: Browser) -> None:
    await browser.get("/recover/adopt")
    form = {"connection": "ab", "account_id": "x", **EVER}
    for changes, field in (
        ({"account_id": ""}, "account_id"),
        ({"since": "last tuesday"}, "since"),
        ({"until": "1999-01-01T00:00"}, "until"),
    ):
        answer = await browser.send("/recover/adopt", **(form | changes))
        assert answer.status_code == 422
        assert fault_of(answer.text, field)


async def test_a_jira_that_has_moved_is_followed(
    connected: Jira, browser: Browser, flow: Flow
) -> None:
    site = JiraSite("cloud", "cloud", seed=5, first_id=70_000)
    site.add_user("twinlink")
    site.add_project("B")
    site.add_link_type("Blocks", "blocks", "is blocked by")
    async with serve(site) as [there]:
        assert 'href="/sites/right/rehomings"' in await browser.get("/recover")
        await browser.get("/sites/right/rehomings")
        wrong = await browser.send("/sites/right/rehomings", to="nowhere")
        assert wrong.status_code == 422
        assert fault_of(wrong.text, "to")
        put = await flow.client.put(f"{V1}/sites/cloud", json=connected.body(there))
        assert put.status_code == 201
        asked = await browser.send("/sites/right/rehomings", to="cloud")
        assert asked.status_code == 200
        said = text_of(asked.text)
        assert "ab ab-cloud gathering" in said
        assert "Two owners approve each plan" in said
        again = await browser.send("/sites/right/rehomings", to="cloud")
        assert again.status_code == 409
        assert "changed by another call" in text_of(again.text)


async def test_others_move_nothing(browse: Browse, flow: Flow) -> None:
    for body in ({"role": "approver"}, {"role": "admin", "connections": ["ab"]}):
        made = await flow.client.post(f"{V1}/tokens", json={"owner": "eva", **body})
        other = browse()
        await other.sign_in(made.json()["token"])
        assert "has moved" not in await other.get("/recover")
        assert (await other.http.get("/sites/right/rehomings")).status_code == 403
        await other.get("/recover")
        assert (await other.send("/sites/right/rehomings", to="left")).status_code == 403
