"""Resyncs: ask, follow, cancel."""

import asyncio
import json
from typing import Any

import asyncpg
import httpx
import uvicorn

from app.api.auth.roles import V1
from app.sandbox.people import person_on
from app.sync.resync import walk
from tests.api.conftest import Api, Jira

RESYNCS = f"{V1}/connections/ab/resyncs"
PAIRS = {"twins": [{"left": f"A-{n}", "right": f"B-{n}"} for n in (1, 2, 3)]}


async def ask(client: httpx.AsyncClient, body: Any = None) -> str:
    answer = await client.post(RESYNCS, json=body) if body else await client.post(RESYNCS)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"{V1}/resyncs/{answer.json()['id']}"
    assert answer.json()["status"] == "queued"
    return str(answer.json()["id"])


async def test_the_whole_connection(client: httpx.AsyncClient, connected: Jira) -> None:
    await client.post(f"{V1}/connections/ab/twins", json=PAIRS)
    made = await ask(client)
    shown = (await client.get(f"{V1}/resyncs/{made}")).json()
    assert shown["connection"] == "ab"
    assert (shown["status"], shown["dry_run"], shown["issues_total"]) == ("queued", False, 3)
    assert {shown[name] for name in ("issues_done", "created", "removed", "failed")} == {0}
    status = (await client.get(f"{V1}/connections/ab/status")).json()
    assert status["resyncs"] == 1


async def test_named_issues_of_either_side(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    await client.post(f"{V1}/connections/ab/twins", json=PAIRS)
    made = await ask(client, {"issues": ["A-1", "B-1", "B-3"], "dry_run": True})
    row = await db.fetchrow("SELECT * FROM resyncs WHERE id = $1", int(made))
    assert row is not None
    twins = await db.fetch("SELECT id FROM twins WHERE left_key IN ('A-1', 'A-3') ORDER BY id")
    assert row["twin_ids"] == [twin["id"] for twin in twins]
    assert row["dry_run"] is True


async def test_unknown_issues_are_named(client: httpx.AsyncClient, connected: Jira) -> None:
    await client.post(f"{V1}/connections/ab/twins", json=PAIRS)
    answer = await client.post(RESYNCS, json={"issues": ["A-1", "A-9", "B-2", "ZZ-1"]})
    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/issues/1", "/issues/3"]
    bodies: list[Any] = [{"issues": []}, {"issues": ["a-1"]}, {"issues": "A-1"}, {"dry_run": "no"}]
    for body in bodies:
        assert (await client.post(RESYNCS, json=body)).status_code == 422


async def test_a_whole_one_that_waits_is_joined(client: httpx.AsyncClient, connected: Jira) -> None:
    first = await ask(client)
    assert await ask(client) == first
    assert await ask(client, {"dry_run": True}) != first


async def test_lists_are_filtered(client: httpx.AsyncClient, connected: Jira) -> None:
    one, two = await ask(client), await ask(client, {"dry_run": True})
    await client.post(f"{V1}/resyncs/{one}/cancel")
    for params, expected in (
        ({}, [two, one]),
        ({"status": "queued"}, [two]),
        ({"status": "cancelled"}, [one]),
        ({"connection": "ab"}, [two, one]),
        ({"connection": "other"}, []),
    ):
        found = (await client.get(f"{V1}/resyncs", params=params)).json()["items"]
        assert [it["id"] for it in found] == expected


async def test_cancelling(client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool) -> None:
    waiting = await ask(client)
    cancelled = await client.post(f"{V1}/resyncs/{waiting}/cancel")
    assert cancelled.json()["status"] == "cancelled"
    assert cancelled.json()["finished_at"] is not None
    over = await client.post(f"{V1}/resyncs/{waiting}/cancel")
    assert over.status_code == 409
    assert over.json()["code"] == "resync_over"
    running = await ask(client, {"dry_run": True})
    await db.execute("UPDATE resyncs SET status = 'running' WHERE id = $1", int(running))
    asked = await client.post(f"{V1}/resyncs/{running}/cancel")
    assert asked.json()["status"] == "running"
    assert await db.fetchval("SELECT cancel_requested FROM resyncs WHERE id = $1", int(running))


async def test_a_dry_run_that_a_worker_carries_out(
    api: Api, client: httpx.AsyncClient, connected: Jira
) -> None:
    """Its plan says what would be made, and nothing is."""
    await client.post(f"{V1}/connections/ab/twins", json=PAIRS)
    person_on(connected.left.site, "ann").link("A-1", "Blocks", "A-2")
    made = await ask(client, {"dry_run": True})
    while await walk.run_once(api.services.context):
        pass
    shown = (await client.get(f"{V1}/resyncs/{made}")).json()
    assert (shown["status"], shown["issues_done"], shown["created"]) == ("succeeded", 3, 1)
    plan = (await client.get(f"{V1}/plans/{shown['plan_id']}")).json()
    assert plan["kind"] == "dry_run"
    assert plan["counts"] == {"create": 1, "remove": 0, "adopt": 0, "release": 0}
    [change] = plan["changes"]
    assert (change["operation"], change["site"], change["type"]) == ("create", "right", "Blocks")
    assert (change["source"]["key"], change["destination"]["key"]) == ("B-1", "B-2")
    assert connected.right.site.triples_of() == set()


async def test_progress_is_streamed_to_its_end(
    api: Api, client: httpx.AsyncClient, connected: Jira
) -> None:
    """Over a socket: the events come while the resync goes on, and the stream ends with it."""
    await client.post(f"{V1}/connections/ab/twins", json=PAIRS)
    made = await ask(client, {"dry_run": True})
    server = uvicorn.Server(uvicorn.Config(api.app, port=0, lifespan="off", log_config=None))
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event for it
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        headers = dict(client.headers)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as web:
            events = await _events(web, made, api)
    finally:
        server.should_exit = True
        await task
    assert [name for name, _ in events][-1] == "end"
    assert events[0][0] == "progress"
    assert events[0][1]["status"] == "queued"
    assert events[-1][1]["status"] == "succeeded"
    assert events[-1][1]["issues_done"] == 3


async def _events(web: httpx.AsyncClient, made: str, api: Api) -> list[tuple[str, dict[str, Any]]]:
    events: list[tuple[str, dict[str, Any]]] = []
    async with web.stream("GET", f"{V1}/resyncs/{made}/events", timeout=30) as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        name = ""
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                events.append((name, json.loads(line.removeprefix("data: "))))
                while await walk.run_once(api.services.context):
                    pass
    return events


async def test_nothing_to_follow(client: httpx.AsyncClient, connected: Jira) -> None:
    for path in ("resyncs/999", "resyncs/999/events"):
        answer = await client.get(f"{V1}/{path}")
        assert answer.status_code == 404
        assert answer.json()["code"] == "resync_unknown"
    html = await client.get(f"{V1}/resyncs/1/events", headers={"Accept": "application/json"})
    assert html.status_code == 406
