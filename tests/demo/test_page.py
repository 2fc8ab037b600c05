"""The page: what it shows, what a person may do on it, and from where."""

import httpx
import pytest

from app.demo import truth
from app.demo.page.feed import Feed
from app.demo.stage import Stage
from app.demo.teller import Teller
from app.sandbox.people import person_on
from app.sandbox.worlds import CANARY
from tests.demo.test_demo import play_until_live

LINK = {"source": "a-1", "type": "Blocks", "destination": "A-2"}


async def test_the_page_and_its_parts_are_served_under_a_strict_policy(
    browser: httpx.AsyncClient,
) -> None:
    for path, kind in (
        ("/demo", "html"),
        ("/demo/page.css", "css"),
        ("/demo/page.js", "javascript"),
    ):
        answer = await browser.get(path)
        assert answer.status_code == 200
        assert kind in answer.headers["content-type"]
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "http" not in policy
    assert (await browser.get("/demo/other.css")).status_code == 404
    assert (await browser.get("/healthz")).status_code == 200


async def test_a_link_made_on_the_page_is_mirrored_and_its_end_too(
    stage: Stage, browser: httpx.AsyncClient, tell: Teller
) -> None:
    await play_until_live(stage, tell)
    before = len(stage.right.site.mutations)
    made = await browser.post("/demo/links/left", json=LINK)
    assert made.status_code == 201
    await stage.quiet("a link from the page")
    [mirror] = truth.created(stage.right.site, before)
    assert (mirror.source_key, mirror.destination_key) == ("B-1", "B-2")

    state = (await browser.get("/demo/state")).json()
    assert state["connection"]["mode"] == "live"
    assert state["sites"]["right"]["intact"] is True
    newest = state["sites"]["right"]["list"][0]
    assert newest["ours"] is True
    assert {entry["kind"] for entry in state["feed"]} >= {"person", "webhook", "call", "audit"}
    assert CANARY not in str(state["feed"])

    gone = await browser.delete(f"/demo/links/left/{made.json()['id']}")
    assert gone.status_code == 204
    await stage.quiet("its end")
    assert mirror.link_id not in stage.right.site.links

    last = state["feed"][-1]["number"]
    seen = state["sites"]["left"]["changes"]
    more = (await browser.get("/demo/state", params={"after": last, "left": seen})).json()
    assert all(entry["number"] > last for entry in more["feed"])
    audited = [it["detail"] for it in state["feed"] + more["feed"] if it["kind"] == "audit"]
    assert len(audited) == len(set(audited))


async def test_links_are_sent_only_when_they_changed(
    stage: Stage, browser: httpx.AsyncClient
) -> None:
    first = (await browser.get("/demo/state")).json()["sites"]
    assert len(first["left"]["list"]) == 65
    params = {"left": first["left"]["changes"], "right": -1}
    again = (await browser.get("/demo/state", params=params)).json()["sites"]
    assert "list" not in again["left"]
    assert "list" in again["right"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"destination": "A-1"}, 400),
        ({"destination": "A-9999"}, 404),
        ({"type": "Unheard of"}, 404),
        ({"source": ""}, 422),
    ],
)
async def test_what_jira_refuses_is_said_in_its_words(
    browser: httpx.AsyncClient, changes: dict[str, str], status: int
) -> None:
    answer = await browser.post("/demo/links/left", json={**LINK, **changes})
    assert answer.status_code == status
    assert answer.json()["detail"] or answer.json()["errors"]


async def test_another_page_or_another_name_cannot_play(
    stage: Stage, browser: httpx.AsyncClient
) -> None:
    before = len(stage.left.site.mutations)
    async with httpx.AsyncClient(base_url=stage.address, trust_env=False) as stranger:
        assert (await stranger.post("/demo/links/left", json=LINK)).status_code == 403
        assert (await stranger.delete("/demo/links/left/10000")).status_code == 403
        assert (await stranger.post("/demo/guard/reset")).status_code == 403
    rebound = {"Host": "demo.example.org"}
    assert (await browser.get("/demo/state", headers=rebound)).status_code == 403
    assert (await browser.post("/demo/links/left", json=LINK, headers=rebound)).status_code == 403
    assert (await browser.get("/demo/state", headers={"Host": "localhost:80"})).status_code == 200
    assert len(stage.left.site.mutations) == before


async def test_the_feed_keeps_a_bounded_number(stage: Stage) -> None:
    feed = Feed(stage)
    ann = person_on(stage.left.site, "ann")
    for _ in range(200):
        ann.unlink(ann.link("A-1", "Blocks", "A-2"))
    await feed.refresh(None)
    assert len(feed.after(0)) == 300
    assert feed.after(0)[-1]["number"] == 400
