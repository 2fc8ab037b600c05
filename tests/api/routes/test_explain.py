"""Explain: the same look as a worker's, in words, and nothing is written."""

import asyncio
from collections import Counter
from typing import Any

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
from app.jira.client import JiraClient
from app.sandbox import Fault
from app.sandbox.people import person_on
from app.sync.reconcile import loop
from tests.api.conftest import Api, Jira

AB = f"{V1}/connections/ab"
WRITTEN = """SELECT (SELECT count(*) FROM ledger) + (SELECT count(*) FROM plans)
                  + (SELECT count(*) FROM intents) + (SELECT sum(generation) FROM work)"""
PAIRS = {"twins": [{"left": f"A-{n}", "right": f"B-{n}"} for n in (1, 2, 3)]}


async def explain(client: httpx.AsyncClient, issue: str) -> list[dict[str, Any]]:
    answer = await client.get(f"{AB}/explain", params={"issue": issue})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def work(api: Api) -> None:
    while (await loop.run_once(api.services.context, size=100, lease=60)).claimed:
        pass


def timeless(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the second of Jira's clock at which each proof was read."""
    for it in items:
        for seen in (it["evidence"] or {}).values():
            seen.get("proof", {}).pop("read_at", None)
    return items


async def test_each_link_has_its_row_of_the_table(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    await client.post(f"{AB}/twins", json=PAIRS)
    left, right = person_on(connected.left.site, "ann"), person_on(connected.right.site, "ann")
    left.link("A-1", "Blocks", "A-2")
    for person, project in ((left, "A"), (right, "B")):
        person.link(f"{project}-1", "Blocks", f"{project}-3")
    left.link("A-1", "Relates", "A-2")
    left.link("A-1", "Blocks", "A-5")
    before = await db.fetchval(WRITTEN)
    items = await explain(client, "A-1")
    rows = {(it["row"], it["outcome"]) for it in items}
    assert rows == {
        (2, "create_mirror"),
        (3, "record_preexisting"),
        (None, "not_mapped"),
        (None, "no_twin"),
    }
    create = next(it for it in items if it["row"] == 2)
    assert create["left"]["source"]["key"] == "A-1"
    assert create["right"]["destination"]["key"] == "B-2"
    assert create["evidence"]["left"]["seen"] == "present"
    assert create["evidence"]["right"]["seen"] in {"absent", "unlisted"}
    assert timeless(await explain(client, "B-1")) == timeless(items)
    assert await db.fetchval(WRITTEN) == before
    assert connected.right.site.triples_of() == {("B-1", "Blocks", "B-3")}


async def test_a_managed_link_has_its_history(
    api: Api, client: httpx.AsyncClient, connected: Jira
) -> None:
    await client.put(f"{AB}/mode", json={"mode": "live"})
    person_on(connected.left.site, "ann").link("A-1", "Blocks", "A-2")
    await client.post(f"{AB}/twins", json=PAIRS)
    await work(api)
    [it] = await explain(client, "A-2")
    assert (it["row"], it["outcome"], it["state"]) == (4, "in_step", "managed")
    assert (it["origin"], it["authorship"]) == ("left", "ours")
    assert [row["status"] for row in it["history"]] == ["intended", "applied"]
    assert it["right"]["link_id"] == it["history"][-1]["link_id"]


async def test_an_issue_without_a_twin(client: httpx.AsyncClient, connected: Jira) -> None:
    answer = await client.get(f"{AB}/explain", params={"issue": "A-1"})
    assert answer.status_code == 404
    assert answer.json()["code"] == "twin_unknown"


async def test_a_site_that_is_down(client: httpx.AsyncClient, connected: Jira) -> None:
    await client.post(f"{AB}/twins", json=PAIRS)
    connected.right.site.faults.add(Fault("error_before", status=503))
    answer = await client.get(f"{AB}/explain", params={"issue": "A-1"})
    assert answer.status_code == 503
    assert answer.json()["code"] == "site_unavailable"
    assert answer.json()["detail"] == "right gave no usable answer"


async def test_a_token_has_one_explanation_at_a_time(
    client: httpx.AsyncClient, connected: Jira, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its reads give way to those of workers."""
    await client.post(f"{AB}/twins", json=PAIRS)
    running: Counter[str] = Counter()
    most: Counter[str] = Counter()
    lanes = set()
    whole = JiraClient.read_issues

    async def counted(self: JiraClient, ids: Any, **options: Any) -> Any:
        lanes.add(options["bulk"])
        side = self.site.name
        running[side] += 1
        most[side] = max(most[side], running[side])
        try:
            return await whole(self, ids, **options)
        finally:
            running[side] -= 1

    monkeypatch.setattr(JiraClient, "read_issues", counted)
    await asyncio.gather(*(explain(client, f"A-{n}") for n in (1, 2, 3) for _ in range(2)))
    assert most == {"left": 1, "right": 1}
    assert lanes == {True}
