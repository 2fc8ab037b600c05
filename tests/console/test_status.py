"""The public status page: nothing is on it by default, and then only what a person wrote."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import httpx
import pytest

from app.api.auth.roles import V1
from app.core.incidents import Impact, IncidentKind, State
from app.core.status_page.status import DAYS, Component, PublicStatus, Published, Update
from app.sync.incidents.timeline import open_or_note
from tests.api.conftest import Api, Jira
from tests.console.conftest import Browser, text_of

Browse = Callable[[], Browser]
PATHS = ("", "/feed.atom", "/api/v2/summary.json", "/api/v2/incidents.json")
_NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.fixture
async def incident(api: Api, connected: Jira) -> str:
    async with api.services.database.transaction() as conn:
        number = await open_or_note(
            conn,
            IncidentKind.GUARD_TRIPPED,
            connection_id=1,
            now=api.services.clock(),
            detail={"window": "hour", "removed": 10, "held": 340, "revision": 2},
            impact=Impact.MINOR,
        )
    return str(number)


async def shown(api: Api, path: str = "") -> httpx.Response:
    """As a stranger sees it, and not a copy of a few seconds ago."""
    api.app.state.public_status._known = None
    answer = await api.client(None).get(f"/status{path}")
    assert answer.status_code == 200
    return answer


async def test_nothing_is_public_by_default(api: Api, incident: str) -> None:
    for path in PATHS:
        text = (await shown(api, path)).text
        for private in ("guard", "ab", "340", "revision"):
            assert private not in text_of(text).split(), (path, private)
    summary = (await shown(api, PATHS[2])).json()
    assert summary["status"]["indicator"] == "none"
    assert summary["incidents"] == []
    assert {it["status"] for it in summary["components"]} == {"operational"}


async def test_what_is_published_is_shown_and_nothing_else(api: Api, incident: str) -> None:
    client = api.client()
    path = f"{V1}/incidents/{incident}/publication"
    for text in ("Some links are late.", "Some links are late.", "Nearly done <b>."):
        put = await client.put(path, json={"impact": "major", "text": text, "title": "Delays"})
        assert put.status_code == 200
    assert [it["text"] for it in put.json()["publication"]["updates"]] == [
        "Some links are late.",
        "Nearly done <b>.",
    ]
    page = (await shown(api)).text
    assert "Some links are late." in page
    assert "Nearly done &lt;b&gt;." in page
    for path_ in PATHS:
        words = text_of((await shown(api, path_)).text).split()
        assert not {"340", "ab", "bootstrap", "held"} & set(words), path_
    summary = (await shown(api, PATHS[2])).json()
    assert summary["status"]["indicator"] == "major"
    [one] = summary["incidents"]
    assert one["name"] == "Delays"
    assert one["status"] == "investigating"
    assert one["incident_updates"][0]["body"] == "Nearly done <b>."
    affected = {it["id"]: it["status"] for it in summary["components"]}
    assert affected["removals"] == "partial_outage"
    assert affected["links"] == "operational"


async def test_an_end_is_public_too_and_what_is_withdrawn_is_gone(api: Api, incident: str) -> None:
    client = api.client()
    path = f"{V1}/incidents/{incident}"
    body = {"impact": "minor", "text": "Late."}
    assert (await client.put(f"{path}/publication", json=body)).status_code == 200
    over = {"text": "secret reasons", "state": "resolved"}
    assert (await client.post(f"{path}/updates", json=over)).status_code == 201
    [one] = (await shown(api, PATHS[3])).json()["incidents"]
    assert one["status"] == "resolved"
    assert one["resolved_at"]
    assert one["name"] == "The guard holds removals"
    assert one["incident_updates"][0]["body"] == "This incident is over."
    assert (await shown(api, PATHS[2])).json()["incidents"] == []
    assert "secret reasons" not in (await shown(api)).text
    gone = await client.delete(f"{path}/publication")
    assert gone.json()["publication"] is None
    assert (await shown(api, PATHS[3])).json()["incidents"] == []


@pytest.mark.parametrize(
    ("role", "connections", "code"),
    [("operator", None, 403), ("approver", ["ab"], 403), ("approver", None, 200)],
)
async def test_an_approver_of_everything_publishes(
    api: Api, incident: str, role: str, connections: list[str] | None, code: int
) -> None:
    client = await api.token(role, **({"connections": connections} if connections else {}))
    path = f"{V1}/incidents/{incident}/publication"
    assert (await client.put(path, json={"impact": "none", "text": "x"})).status_code == code
    assert (await client.delete(path)).status_code == code


async def test_strangers_do_not_make_the_database_work(api: Api, connected: Jira) -> None:
    first = await shown(api)
    assert "public" in first.headers["cache-control"]
    async with api.services.database.transaction() as conn:
        await conn.execute("LOCK TABLE publications")
        for path in PATHS:
            assert (await api.client(None).get(f"/status{path}")).status_code == 200


async def test_the_feed_is_one_that_readers_take(api: Api, incident: str) -> None:
    body = {"impact": "minor", "text": "a \u0007 & <b>\u202e"}
    await api.client().put(f"{V1}/incidents/{incident}/publication", json=body)
    answer = await shown(api, "/feed.atom")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    feed = ET.fromstring(answer.content)  # noqa: S314 - it is our own
    names = {"a": "http://www.w3.org/2005/Atom"}
    for name in ("id", "title", "updated"):
        assert feed.findtext(f"a:{name}", namespaces=names)
    [entry] = feed.findall("a:entry", names)
    for name in ("id", "title", "updated", "content"):
        assert entry.findtext(f"a:{name}", namespaces=names)


async def test_it_is_published_on_the_incidents_page(
    api: Api, incident: str, browser: Browser
) -> None:
    page = await browser.get(f"/incidents/{incident}")
    assert "Not public" in page
    done = await browser.send(
        f"/incidents/{incident}/publish", title="Delays", impact="minor", text="Late.", component=""
    )
    assert "shows it within half a minute" in done.text
    assert "Delays" in (await shown(api)).text
    await browser.send(f"/incidents/{incident}/withdraw")
    assert "Delays" not in (await shown(api)).text


def test_ninety_days_show_the_worst_of_each() -> None:
    def one(number: int, impact: Impact, first: int, last: int | None) -> Published:
        start = _NOW - timedelta(days=first)
        end = None if last is None else _NOW - timedelta(days=last)
        state = State.INVESTIGATING if end is None else State.RESOLVED
        updates = [Update(1, start, State.INVESTIGATING, "x")]
        return Published(number, Component.LINKS, impact, "x", state, start, end, updates)

    status = PublicStatus(
        _NOW,
        [
            one(1, Impact.MAJOR, 5, 3),
            one(2, Impact.MINOR, 4, 1),
            one(3, Impact.CRITICAL, DAYS + 9, DAYS + 2),
            one(4, Impact.MINOR, 0, None),
        ],
    )
    days = status.history(Component.LINKS)
    assert len(days) == DAYS
    assert days[-1].day == _NOW.date()
    tail = [it.impact.value for it in days[-7:]]
    assert tail == ["none", "major", "major", "major", "minor", "minor", "minor"]
    assert {it.impact for it in days[:-7]} == {Impact.NONE}
    assert {it.impact for it in status.history(Component.REMOVALS)} == {Impact.NONE}
    assert status.impact() is Impact.MINOR
    assert status.impact(Component.DELIVERIES) is Impact.NONE
