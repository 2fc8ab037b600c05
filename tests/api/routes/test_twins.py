"""Pairing by API: each pair has its own outcome, and two claims on one issue pair neither."""

import asyncio
from typing import Any

import asyncpg
import httpx

from app.api.auth.roles import V1
from app.sandbox import Fault
from app.sandbox.people import person_on
from tests.api.conftest import Jira, connection_body

TWINS = f"{V1}/connections/ab/twins"


def pairs(*items: tuple[str, str]) -> dict[str, Any]:
    return {"twins": [{"left": left, "right": right} for left, right in items]}


async def post(client: httpx.AsyncClient, *items: tuple[str, str]) -> list[dict[str, Any]]:
    answer = await client.post(TWINS, json=pairs(*items))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    assert [(it["left"], it["right"]) for it in found] == list(items)
    return found


async def test_a_dry_run_answers_and_pairs_nothing(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    asked = pairs(("A-1", "B-1"), ("A-99", "B-4"), ("AX-1", "B-3"))
    answer = await client.post(TWINS, json=asked | {"dry_run": True})
    seen = [it["status"] for it in answer.json()["items"]]
    assert seen == ["paired", "unknown_issue", "wrong_project"]
    assert (await client.get(TWINS)).json()["items"] == []


async def test_every_outcome(client: httpx.AsyncClient, connected: Jira) -> None:
    await post(client, ("A-1", "B-1"), ("A-5", "B-5"))
    found = await post(
        client,
        ("A-2", "B-2"),
        ("A-1", "B-1"),
        ("A-1", "B-3"),
        ("A-99", "B-4"),
        ("A-4", "B-99"),
        ("AX-1", "B-3"),
        ("no key at all", "B-3"),
    )
    # B-3 is claimed three times, so none of them is judged any further; A-1 twice.
    assert [it["status"] for it in found] == [
        "paired",
        "ambiguous",
        "ambiguous",
        "unknown_issue",
        "unknown_issue",
        "ambiguous",
        "ambiguous",
    ]
    assert [it["status"] for it in await post(client, ("A-1", "B-1"))] == ["unchanged"]
    assert [it["status"] for it in await post(client, ("A-1", "B-3"))] == ["already_paired"]
    assert [it["status"] for it in await post(client, ("A-3", "B-5"))] == ["already_paired"]
    assert [it["status"] for it in await post(client, ("A-1", "B-5"))] == ["already_paired"]
    assert [it["status"] for it in await post(client, ("AX-1", "B-3"))] == ["wrong_project"]
    assert [it["status"] for it in await post(client, ("no key", "B-3"))] == ["unknown_issue"]


async def test_ids_are_those_of_the_list(client: httpx.AsyncClient, connected: Jira) -> None:
    made = await post(client, ("A-1", "B-1"), ("A-2", "B-9"), ("A-3", "B-3"))
    listed = (await client.get(TWINS)).json()["items"]
    assert [it["id"] for it in listed] == [made[0]["id"], made[2]["id"]]
    assert made[1]["id"] is None
    assert (await post(client, ("A-1", "B-1")))[0]["id"] == made[0]["id"]
    found = (await client.get(TWINS, params={"issue": "B-3"})).json()["items"]
    assert [it["left"] for it in found] == ["A-3"]


async def test_what_is_paired_is_looked_at(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    await post(client, ("A-1", "B-1"), ("A-2", "B-99"))
    status = (await client.get(f"{V1}/connections/ab/status")).json()
    assert status["backlog"] == 1
    assert status["oldest_seconds"] >= 0
    [work] = await db.fetch("SELECT * FROM work")
    assert (work["look"], work["cause_kind"], work["bulk"]) == (True, "twin", False)
    await post(client, ("A-1", "B-1"))
    assert await db.fetchval("SELECT generation FROM work") == 1


async def test_a_key_from_before_a_move_still_pairs(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    site = connected.left.site
    person_on(site, "ann").move("A-1", "AX")
    now = site.issue("A-1").key
    body = connection_body(left={"site": "left", "projects": ["A", "AX"]})
    assert (await client.put(f"{V1}/connections/ab", json=body)).status_code == 200
    [it] = await post(client, ("A-1", "B-1"))
    assert it["status"] == "paired"
    [listed] = (await client.get(TWINS)).json()["items"]
    assert listed["left"] == now


async def test_a_site_that_is_down_pairs_nothing(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    for fault, code in (
        (Fault("error_before", status=503), "site_unavailable"),
        (Fault("unauthorized"), "site_refuses"),
        (Fault("anonymous"), "site_refuses"),
    ):
        connected.right.site.faults.add(fault)
        answer = await client.post(TWINS, json=pairs(("A-1", "B-1")))
        assert answer.status_code == 503
        assert answer.json()["code"] == code, fault
        assert answer.json()["detail"].startswith("right "), "of two sites, which one"
        assert "Retry-After" in answer.headers
        connected.right.site.faults.clear()
    assert await db.fetchval("SELECT count(*) FROM twins") == 0


async def test_bodies_that_cannot_be(client: httpx.AsyncClient, connected: Jira) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"twins": []}, "/twins"),
        (pairs(*[("A-1", "B-1")] * 1001), "/twins"),
        (pairs(("", "B-1")), "/twins/0/left"),
        (pairs(("A-1", "B-1"), ("A-2", "x" * 301)), "/twins/1/right"),
        (pairs(("A-1", "\x00")), "/twins/0/right"),
        ({"twins": [{"left": "A-1"}]}, "/twins/0/right"),
        ({"twins": [{"left": "A-1", "right": "B-1", "id": 1}]}, "/twins/0/id"),
        ({"twins": {"A-1": "B-1"}}, "/twins"),
    ]
    for body, pointer in cases:
        answer = await client.post(TWINS, json=body)
        assert answer.status_code == 422
        assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]


async def test_a_thousand_pairs_take_few_calls(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    """As many as one body holds, read a hundred at a time; their first look is bulk work."""
    for site in (connected.left.site, connected.right.site):
        ann = person_on(site, "ann")
        project = "A" if site is connected.left.site else "B"
        for _ in range(995):
            ann.create(project, "More")
    before = len(connected.left.site.requests)
    found = await post(client, *[(f"A-{n}", f"B-{n}") for n in range(1, 1001)])
    assert {it["status"] for it in found} == {"paired"}
    assert len(connected.left.site.requests) - before <= 10
    assert await db.fetchval("SELECT count(*) FROM work WHERE bulk") == 1000


async def test_unpairing(client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool) -> None:
    [made] = await post(client, ("A-1", "B-1"))
    ended = {"released": 0, "held": 0, "plan_id": None}
    assert (await client.delete(f"{TWINS}/{made['id']}")).json() == ended
    assert (await client.delete(f"{TWINS}/{made['id']}")).status_code == 404
    assert (await client.get(TWINS)).json()["items"] == []
    assert await db.fetchval("SELECT count(*) FROM work") == 0
    assert (await post(client, ("A-1", "B-1")))[0]["status"] == "paired"


async def test_a_twin_of_another_connection_is_not_there(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    [made] = await post(client, ("A-1", "B-1"))
    other = connection_body(left={"site": "left", "projects": ["AX"]})
    await client.put(f"{V1}/connections/other", json=other)
    path = f"{V1}/connections/other/twins/{made['id']}"
    assert (await client.delete(path)).status_code == 404


async def test_claims_in_vain_are_listed(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    await db.execute(
        """INSERT INTO twin_claims (connection_id, side, issue_id, issue_key, claimed_key, status)
           SELECT id, v.* FROM connections, (VALUES ('left', 1, 'A-1', 'B-1', 'ambiguous'),
             ('left', 2, 'A-2', 'B-1', 'ambiguous'), ('right', 1, 'B-7', 'A-9', 'ambiguous'),
             ('right', 2, 'B-8', 'A-9', 'unknown_issue')) v"""
    )
    shown: list[tuple[str, str]] = []
    cursor = None
    while True:
        params: dict[str, Any] = {"status": "ambiguous", "limit": 1}
        params |= {"cursor": cursor} if cursor else {}
        page = (await client.get(TWINS, params=params)).json()
        shown += [(it["left"], it["right"]) for it in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert shown == [("A-1", "B-1"), ("A-2", "B-1"), ("A-9", "B-7")]
    assert (await client.get(TWINS, params={"status": "unchanged"})).status_code == 422


async def test_two_bodies_at_once_pair_an_issue_once(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    answers = await asyncio.gather(
        *(client.post(TWINS, json=pairs(("A-1", f"B-{n}"))) for n in range(1, 6))
    )
    statuses = sorted(answer.json()["items"][0]["status"] for answer in answers)
    assert statuses == ["already_paired"] * 4 + ["paired"]
    assert await db.fetchval("SELECT count(*) FROM twins") == 1


async def test_a_site_that_answers_and_refuses_is_not_said_to_be_away(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    """405 is what a proxy says that lets no POST through."""
    for status, code in ((405, "site_refuses"), (503, "site_unavailable")):
        connected.left.site.faults.add(Fault("error_before", status=status))
        answer = await client.post(TWINS, json={"twins": [{"left": "A-1", "right": "B-1"}]})
        assert (answer.status_code, answer.json()["code"]) == (503, code)
        connected.left.site.faults.clear()
