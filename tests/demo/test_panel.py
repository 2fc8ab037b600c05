"""The console's panel in a demo: links are made and deleted on either sandbox site, by forms."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from app.demo import truth
from app.demo.stage import Stage
from app.demo.teller import Teller
from tests.api.conftest import ADMIN
from tests.console.conftest import Browser, text_of
from tests.demo.test_demo import play_until_live

LINK = {"source": "a-1", "type": "Blocks", "destination": "A-2"}


@pytest.fixture
async def person(stage: Stage) -> AsyncIterator[Browser]:
    """Signed in; without scripts."""
    async with httpx.AsyncClient(
        base_url=stage.address, trust_env=False, follow_redirects=True
    ) as http:
        made = Browser(http)
        assert (await made.sign_in(ADMIN)).status_code == 200
        yield made


async def test_a_link_made_on_the_panel_is_mirrored_and_its_end_too(
    stage: Stage, person: Browser, tell: Teller
) -> None:
    await play_until_live(stage, tell)
    before = len(stage.right.site.mutations)
    assert 'href="/sandbox"' in await person.get("/")
    await person.get("/sandbox")
    made = await person.send("/sandbox/left/links", **LINK)
    assert "Linked. A mirror appears" in made.text
    await stage.quiet("a link from the panel")
    [mirror] = truth.created(stage.right.site, before)
    page = await person.get("/sandbox?find=b-1")
    assert re.search(r"B-1 blockiert B-2 by \S+ mirror", text_of(page))
    [number] = re.findall(
        r'action="/sandbox/left/links/(\d+)/delete"[^A]*A-1 blocks A-2',
        await person.get("/sandbox?find=A-1"),
    )
    assert "Deleted." in (await person.send(f"/sandbox/left/links/{number}/delete")).text
    await stage.quiet("its end")
    assert mirror.link_id not in stage.right.site.links


@pytest.mark.parametrize(
    "changes", [{"destination": "A-1"}, {"destination": "A-9999"}, {"type": "Unheard of"}]
)
async def test_what_jira_refuses_is_said_at_the_form(
    person: Browser, changes: dict[str, str]
) -> None:
    await person.get("/sandbox")
    answer = await person.send("/sandbox/left/links", **{**LINK, **changes})
    assert answer.status_code == 422
    assert 'id="fault-source"' in answer.text
    assert (await person.send("/sandbox/middle/links", **LINK)).status_code == 422
    assert (await person.send("/sandbox/left/links/999999/delete")).status_code == 422
    assert (await person.send("/sandbox/left/links/x/delete")).status_code == 404


async def test_a_stranger_and_another_page_cannot_play(stage: Stage, person: Browser) -> None:
    before = len(stage.left.site.mutations)
    await person.http.post("/sandbox/left/links", data={"csrf": "guessed", **LINK})
    async with httpx.AsyncClient(base_url=stage.address, trust_env=False) as stranger:
        assert (await stranger.post("/sandbox/left/links", data=LINK)).status_code == 303
        assert (await stranger.get("/sandbox")).status_code == 303
    assert len(stage.left.site.mutations) == before


async def test_a_viewer_watches(stage: Stage, person: Browser) -> None:
    made = await stage.service.post("tokens", {"role": "viewer", "owner": "eva"})
    before = len(stage.left.site.mutations)
    async with httpx.AsyncClient(
        base_url=stage.address, trust_env=False, follow_redirects=True
    ) as http:
        viewer = Browser(http)
        await viewer.sign_in(made["token"])
        page = await viewer.get("/sandbox")
        assert set(re.findall(r'method="post" action="([^"]+)"', page)) == {"/sign-out"}
        assert (await viewer.send("/sandbox/left/links", **LINK)).status_code == 403
        assert (await viewer.send("/sandbox/left/links/1/delete")).status_code == 403
    assert len(stage.left.site.mutations) == before


async def test_a_list_is_bounded(person: Browser) -> None:
    page = await person.get("/sandbox")
    assert "the newest 30 shown" in page
    assert page.count('name="csrf"') < 70
