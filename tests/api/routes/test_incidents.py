"""Incidents over REST: who sees which, what a person may say, and what acknowledging one frees."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.core.incidents import Impact, IncidentKind
from app.store.config import connections
from app.sync.incidents import timeline
from tests.api.conftest import V1, Api, Jira
from tests.api.routes.test_reads import intent

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
PATH = f"{V1}/incidents"
FACTS = {"removed": 10, "held": 2, "revision": 2, "first_removal": "2030-01-01T11:00:00Z"}


async def opened(api: Api, kind: str = "guard_tripped", impact: str = "minor", **more: Any) -> str:
    async with api.services.database.transaction() as conn:
        detail = more.pop("detail", FACTS)
        made = await timeline.open_or_note(
            conn,
            IncidentKind(kind),
            now=more.pop("now", NOW),
            detail=detail,
            impact=Impact(impact),
            **more,
        )
    return str(made)


@pytest.fixture
async def other(api: Api, connected: Jira) -> None:
    await api.other()


async def ids(client: httpx.AsyncClient, **params: str) -> list[str]:
    answer = await client.get(PATH, params=params)
    assert answer.status_code == 200, answer.text
    return [it["id"] for it in answer.json()["items"]]


async def test_one_incident(api: Api, client: httpx.AsyncClient, connected: Jira) -> None:
    made = await opened(api, connection_id=1)
    shown = (await client.get(f"{PATH}/{made}")).json()
    assert (shown["kind"], shown["title"]) == ("guard_tripped", "The guard holds removals")
    assert (shown["state"], shown["impact"], shown["wakes"]) == ("investigating", "minor", False)
    assert (shown["connection"], shown["connections"], shown["site"]) == ("ab", ["ab"], None)
    assert shown["facts"] == FACTS
    assert shown["calls"][0] == {
        "purpose": "roll back to revision 1 and undo what came after it",
        "method": "POST",
        "path": "/connections/ab/rollback",
        "body": {"revision": 1, "undo": True},
        "command": "twinlink rollback ab --to 1 --undo",
    }
    assert shown["calls"][1]["body"]["since"] == "2030-01-01T11:00:00Z"
    [entry] = shown["timeline"]
    assert (entry["author"], entry["times"]) == ("twinlink", 1)
    assert entry["text"].startswith("10 removals went through, 2 are held.")
    assert (await client.get(f"{PATH}/99")).status_code == 404
    assert (await client.get(f"{PATH}/x")).status_code == 404


async def test_repetition_is_counted_and_makes_it_worse(
    api: Api, client: httpx.AsyncClient, connected: Jira
) -> None:
    made = await opened(api, "outcome_corrected", connection_id=1, detail={"intent": 1})
    for seconds in (10, 50):
        again: dict[str, Any] = {"detail": {"intent": 1 + seconds}}
        again["now"] = NOW + timedelta(seconds=seconds)
        assert await opened(api, "outcome_corrected", connection_id=1, **again) == made
    late = NOW + timedelta(minutes=2)
    await opened(api, "outcome_corrected", "critical", connection_id=1, now=late)
    await opened(api, "outcome_corrected", "none", connection_id=1, now=late)
    shown = (await client.get(f"{PATH}/{made}")).json()
    assert shown["impact"] == "critical"
    assert [it["times"] for it in shown["timeline"]] == [3, 2]
    assert shown["timeline"][0]["last_at"] == "2030-01-01T12:00:50Z"
    assert shown["timeline"][0]["detail"] == {"intent": 51}


async def test_lists_and_filters(api: Api, client: httpx.AsyncClient, other: None) -> None:
    one = await opened(api, connection_id=1)
    two = await opened(api, connection_id=2)
    site = await opened(api, "deliveries_rejected", site_id=1)
    everything = await opened(api, "installation_mismatch")
    assert await ids(client) == [everything, site, two, one]
    assert await ids(client, connection="ab") == [everything, site, one]
    await client.post(f"{PATH}/{one}/updates", json={"text": "done", "state": "resolved"})
    assert await ids(client, state="resolved") == [one]
    assert await ids(client, state="open", connection="ab") == [everything, site]
    page = (await client.get(PATH, params={"limit": 3})).json()
    rest = (await client.get(PATH, params={"limit": 3, "cursor": page["next"]})).json()
    assert [it["id"] for it in rest["items"]] == [one]


async def test_a_confined_token_sees_what_concerns_its_connections(api: Api, other: None) -> None:
    one = await opened(api, connection_id=1)
    two = await opened(api, connection_id=2)
    everything = await opened(api, "installation_mismatch")
    confined = await api.token("operator", connections=["ab"])
    assert await ids(confined) == [everything, one]
    assert (await confined.get(f"{PATH}/{two}")).status_code == 404
    said = {"text": "x"}
    assert (await confined.post(f"{PATH}/{two}/updates", json=said)).status_code == 404
    assert (await confined.post(f"{PATH}/{everything}/updates", json=said)).status_code == 403
    assert (await confined.post(f"{PATH}/{one}/updates", json=said)).status_code == 201
    assert (await confined.get(f"{PATH}/{everything}")).json()["connections"] == ["ab"]


async def test_issue_keys_are_for_operators(api: Api, connected: Jira, db: Any) -> None:
    await intent(db, 1, 2)
    made = await opened(
        api, "write_unconfirmed", connection_id=1, detail={"issue_keys": "B-1, B-2", "writes": 1}
    )
    operator, viewer = await api.token("operator"), await api.token("viewer")
    seen = await operator.get(f"{PATH}/{made}")
    assert seen.json()["issues"] == ["B-1", "B-2"]
    assert seen.json()["facts"]["issue_keys"] == "B-1, B-2"
    hidden = await viewer.get(f"{PATH}/{made}")
    assert hidden.json()["issues"] is None
    assert hidden.json()["facts"] == {"writes": 1}
    assert "B-1" not in hidden.text


async def test_what_people_say(api: Api, client: httpx.AsyncClient, connected: Jira) -> None:
    made = await opened(api, connection_id=1)
    path = f"{PATH}/{made}/updates"
    viewer, operator = await api.token("viewer"), await api.token("operator")
    assert (await viewer.post(path, json={"text": "x"})).status_code == 403
    said = {"text": "A bad revision.", "state": "identified", "impact": "major"}
    answer = await operator.post(path, json=said)
    assert answer.status_code == 201
    entry = answer.json()["timeline"][-1]
    assert (entry["author"], entry["text"]) == ("operator of the tests", "A bad revision.")
    assert (answer.json()["state"], answer.json()["impact"]) == ("identified", "major")
    await opened(api, connection_id=1, now=NOW + timedelta(seconds=5))
    entries = (await client.get(f"{PATH}/{made}")).json()["timeline"]
    assert [it["author"] for it in entries] == ["twinlink", "operator of the tests", "twinlink"]
    over = await operator.post(path, json={"text": "Rolled back.", "state": "resolved"})
    assert (over.json()["state"], over.json()["resolved_by"]) == (
        "resolved",
        "operator of the tests",
    )
    assert (await operator.post(path, json={"text": "A postmortem."})).status_code == 201
    again = await operator.post(path, json={"text": "x", "state": "monitoring"})
    assert (again.status_code, again.json()["code"]) == (409, "incident_resolved")
    assert await opened(api, connection_id=1) != made, "what happens next is another one"


@pytest.mark.parametrize(
    "body", [{}, {"text": ""}, {"text": "x", "state": "over"}, {"text": "x", "impact": "bad"}]
)
async def test_half_an_update_is_refused(
    api: Api, client: httpx.AsyncClient, connected: Jira, body: dict[str, str]
) -> None:
    made = await opened(api, connection_id=1)
    assert (await client.post(f"{PATH}/{made}/updates", json=body)).status_code == 422


async def test_nothing_goes_live_until_a_lost_database_is_acknowledged(
    api: Api, client: httpx.AsyncClient, connected: Jira
) -> None:
    made = await opened(api, "database_went_back", "major", detail={"sign": "timeline"})
    path = f"{V1}/connections/ab/mode"
    refused = await client.put(path, json={"mode": "live"})
    assert (refused.status_code, refused.json()["code"]) == (409, "database_went_back")
    assert (await client.put(path, json={"mode": "review"})).status_code == 200
    said = {"text": "Restored on purpose.", "state": "resolved"}
    assert (await client.post(f"{PATH}/{made}/updates", json=said)).status_code == 201
    assert (await client.put(path, json={"mode": "live"})).status_code == 200


async def test_a_deleted_connections_incident_stays(
    api: Api, client: httpx.AsyncClient, connected: Jira
) -> None:
    made = await opened(api, connection_id=1)
    assert (await client.delete(f"{V1}/connections/ab")).status_code == 200
    shown = (await client.get(f"{PATH}/{made}")).json()
    assert (shown["connection"], shown["connections"]) == ("ab", ["ab"])
    async with api.services.database.connection() as conn:
        assert await connections.by_name(conn, "ab") is None


async def test_a_confined_token_moves_nothing_on_a_status_page_that_others_share(
    api: Api, client: httpx.AsyncClient, connected: Jira
) -> None:
    """The page shows the state of what is published: who changes it speaks to all tenants whose
    connections join the same sites."""
    made = await opened(api, connection_id=1)
    alone = await api.token("operator", connections=["ab"])
    published = {"impact": "minor", "text": "Removals wait."}
    await client.put(f"{PATH}/{made}/publication", json=published)
    said = await alone.post(f"{PATH}/{made}/updates", json={"text": "x", "state": "identified"})
    assert said.status_code == 201  # no other tenant is on these sites

    await api.other()
    for state in ("monitoring", "resolved"):
        refused = await alone.post(f"{PATH}/{made}/updates", json={"text": "x", "state": state})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert "status page" in refused.json()["detail"]
    note = await alone.post(f"{PATH}/{made}/updates", json={"text": "a note of ours"})
    assert note.status_code == 201
    shown = (await client.get(f"{PATH}/{made}")).json()
    assert (shown["state"], shown["publication"]["updates"][0]["text"]) == (
        "identified",
        "Removals wait.",
    )
    both = await api.token("operator", connections=["ab", "other"])
    done = await both.post(f"{PATH}/{made}/updates", json={"text": "x", "state": "monitoring"})
    assert done.status_code == 201
    await client.delete(f"{PATH}/{made}/publication")
    done = await alone.post(f"{PATH}/{made}/updates", json={"text": "x", "state": "resolved"})
    assert done.json()["state"] == "resolved"
