"""Restores and rescues over REST: choose, look at the plan, approve, follow."""

from typing import Any

import httpx
import pytest

from app.api.auth.roles import V1
from app.sandbox.people import person_on
from tests.api.conftest import Api
from tests.api.flow import Flow

RESTORES, RESCUES = f"{V1}/restores", f"{V1}/rescues"
BLOCKS = ("A-1", "Blocks", "A-2")
EVER = {"since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00+00:00"}


async def removed(flow: Flow, *triples: tuple[str, str, str]) -> None:
    """Mirrored and removed again, on both sides."""
    await flow.mode("live")
    for link in await flow.mirrored(*(triples or (BLOCKS,))):
        flow.ann.unlink(link)
    await flow.compare()
    assert flow.mirrors == []


async def ask(flow: Flow, body: dict[str, Any], where: str = RESTORES) -> dict[str, Any]:
    """Asked for, and planned by a worker."""
    answer = await flow.client.post(where, json=body)
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert answer.headers["Location"] == f"{where}/{made['id']}"
    assert made["status"] == "planning"
    await flow.run()
    shown: dict[str, Any] = await flow.call("GET", f"{where}/{made['id']}")
    assert shown["plan_id"] == made["plan_id"]
    return shown


async def approve(flow: Flow, shown: dict[str, Any]) -> dict[str, Any]:
    plan = await flow.call("GET", f"{V1}/plans/{shown['plan_id']}")
    where = RESCUES if shown["kind"] == "rescue" else RESTORES
    await flow.call("POST", f"{V1}/plans/{plan['id']}/approval", {"digest": plan["digest"]})
    await flow.run()
    done: dict[str, Any] = await flow.call("GET", f"{where}/{shown['id']}")
    return done


def figures(shown: dict[str, Any]) -> dict[str, Any]:
    names = ("status", "links", "restorable", "restored", "skipped", "failed", "verified")
    return {name: shown[name] for name in names}


async def test_put_back(flow: Flow) -> None:
    await removed(flow, BLOCKS, ("A-2", "Blocks", "A-3"))
    person_on(flow.jira.right.site, "ann").link("B-2", "Blocks", "B-3")
    shown = await ask(flow, {"connection": "ab"})
    assert figures(shown) == {
        "status": "held", "links": 2, "restorable": 1, "restored": 0, "skipped": 1, "failed": 0,
        "verified": 0,
    }  # fmt: skip
    assert shown["asked"] == {"connection": "ab", "operation": "remove"}
    plan = await flow.call("GET", f"{V1}/plans/{shown['plan_id']}")
    assert (plan["kind"], plan["status"], plan["counts"]["create"]) == ("restore", "held", 2)
    assert {it["source"]["key"]: it["result"] for it in plan["changes"]} == {
        "B-1": None,
        "B-2": "skipped:already_there",
    }
    assert len(flow.mirrors) == 1
    done = await approve(flow, shown)
    assert (done["status"], done["restored"], done["verified"]) == ("succeeded", 1, 1)
    assert len(flow.mirrors) == 2
    again = await ask(flow, {"connection": "ab"})
    assert (again["status"], again["restorable"], again["skipped"]) == ("succeeded", 0, 2)


async def test_take_back(flow: Flow) -> None:
    await flow.mode("live")
    await flow.mirrored(BLOCKS)
    shown = await ask(flow, {"connection": "ab", "revision": 1, "operation": "create"})
    assert (shown["kind"], shown["restorable"]) == ("undo", 1)
    done = await approve(flow, shown)
    assert (done["status"], done["restored"], done["verified"]) == ("succeeded", 1, 1)
    assert flow.mirrors == []


async def test_rescue(flow: Flow) -> None:
    site = flow.jira.left.site
    user = site.add_user("bot")
    link = flow.ann.link("A-1", "Relates", "A-2")
    await flow.run()
    person_on(site, "bot").unlink(link)
    body = {"site": "left", "account_id": user.account_id, **EVER}
    shown = await ask(flow, body, RESCUES)
    assert (shown["kind"], shown["restorable"], shown["unread"]) == ("rescue", 1, {})
    assert "account" in shown["asked"], "told apart by its keyed hash"
    assert user.account_id not in str(shown), "an account is nobody's to read back"
    done = await approve(flow, shown)
    assert (done["status"], done["restored"], done["verified"]) == ("succeeded", 1, 1)
    assert site.triples_of() == {("A-1", "Relates", "A-2")}
    assert (await flow.client.get(f"{RESTORES}/{shown['id']}")).status_code == 404
    ours = site.user("twinlink").account_id
    refused = await flow.client.post(RESCUES, json={**body, "account_id": ours})
    assert (refused.status_code, refused.json()["code"]) == (409, "own_account")


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, [""]),
        ({"operation": "create"}, [""]),
        ({"revision": 1}, [""]),
        ({"connection": "other"}, ["/connection"]),
        ({"connection": "ab", "site": "other"}, ["/site"]),
        ({"connection": "ab", "since": "yesterday"}, ["/since"]),
        ({"connection": "ab", "since": "2026-01-01T00:00:00"}, ["/since"]),
        ({"link_ids": ["1", "x"]}, ["/link_ids/1"]),
        ({"issues": []}, ["/issues"]),
        ({"issues": ["a-1"]}, ["/issues/0"]),
        ({"plan": "0"}, ["/plan"]),
        ({"plan": 1}, ["/plan"]),
        ({"connection": "ab", "operation": "adopt"}, ["/operation"]),
        ({"connection": "ab", "from": "x"}, ["/from"]),
    ],
)
async def test_what_cannot_be_asked(flow: Flow, body: dict[str, Any], pointers: list[str]) -> None:
    answer = await flow.client.post(RESTORES, json=body)
    assert answer.status_code == 422, answer.text
    assert [it["pointer"] for it in answer.json()["errors"]] == pointers
    assert (await flow.call("GET", RESTORES))["items"] == []


async def test_a_window_that_ends_before_it_begins(flow: Flow) -> None:
    body = {"site": "left", "account_id": "x", "since": EVER["until"], "until": EVER["since"]}
    assert (await flow.client.post(RESCUES, json=body)).status_code == 422


async def test_nothing_to_choose_from(flow: Flow) -> None:
    answer = await flow.client.post(RESTORES, json={"connection": "ab"})
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_selected")
    assert (await flow.call("GET", f"{V1}/plans?connection=ab"))["items"] == []


async def test_lists(flow: Flow) -> None:
    await removed(flow)
    one, two = [await ask(flow, {"connection": "ab"}) for _ in range(2)]
    items = (await flow.call("GET", RESTORES))["items"]
    assert [it["id"] for it in items] == [two["id"], one["id"]]
    assert (await flow.call("GET", f"{RESTORES}?connection=other"))["items"] == []
    assert len((await flow.call("GET", f"{RESTORES}?connection=ab"))["items"]) == 2
    page = await flow.call("GET", f"{RESTORES}?limit=1")
    assert [it["id"] for it in page["items"]] == [two["id"]]
    assert page["next"] is not None
    assert (await flow.call("GET", RESCUES))["items"] == []


async def test_a_confined_token_neither_sees_nor_restores_more(flow: Flow, api: Api) -> None:
    await removed(flow)
    shown = await ask(flow, {"connection": "ab"})
    stranger = await api.stranger("approver")
    assert (await stranger.get(RESTORES)).json()["items"] == []
    assert (await stranger.get(f"{RESTORES}/{shown['id']}")).status_code == 404
    assert (await stranger.get(f"{RESTORES}/{shown['id']}/events")).status_code == 404
    assert (await stranger.get(f"{V1}/plans/{shown['plan_id']}")).status_code == 404
    named = await stranger.post(RESTORES, json={"connection": "ab"})
    assert named.status_code == 422
    everything = await stranger.post(RESTORES, json={"until": "2100-01-01T00:00:00Z"})
    assert everything.json()["code"] == "nothing_selected"
    site = await stranger.post(RESCUES, json={"site": "left", "account_id": "x", **EVER})
    assert site.status_code == 403


async def test_the_same_key_asks_once(flow: Flow) -> None:
    await removed(flow)
    headers = {"Idempotency-Key": "k"}
    answers: list[httpx.Response] = [
        await flow.client.post(RESTORES, json={"connection": "ab"}, headers=headers)
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert len((await flow.call("GET", RESTORES))["items"]) == 1


async def test_a_partial_failure_is_said(flow: Flow) -> None:
    await removed(flow)
    shown = await ask(flow, {"connection": "ab"})
    right = flow.jira.right.site
    del right.types[right.link_type("Blocks").id]
    done = await approve(flow, shown)
    assert (done["status"], done["failed"]) == ("partial", 1)


async def test_a_rejected_one_is_over(flow: Flow) -> None:
    await removed(flow)
    shown = await ask(flow, {"connection": "ab"})
    plan = await flow.call("GET", f"{V1}/plans/{shown['plan_id']}")
    await flow.call("POST", f"{V1}/plans/{plan['id']}/rejection", {"digest": plan["digest"]})
    after = await flow.call("GET", f"{RESTORES}/{shown['id']}")
    assert (after["status"], after["restored"]) == ("rejected", 0)
    async with flow.client.stream("GET", f"{RESTORES}/{shown['id']}/events") as stream:
        lines = [line async for line in stream.aiter_lines()]
    assert "event: end" in lines
