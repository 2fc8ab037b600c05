"""A POST with a key acts once, whoever repeats it, and whatever dies in between."""

import asyncio
from typing import Any

import asyncpg
import httpx

from app.api.auth.roles import V1
from tests.api.conftest import Api, Jira

RESYNCS = f"{V1}/connections/ab/resyncs"
DRY = {"dry_run": True}


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


async def count(db: asyncpg.Pool) -> int:
    total: int = await db.fetchval("SELECT count(*) FROM resyncs")
    return total


async def test_a_repeated_call_gets_the_first_answer(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    first = await client.post(RESYNCS, json=DRY, headers=key("k"))
    again = await client.post(RESYNCS, json=DRY, headers=key("k"))
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await count(db) == 1
    other = await client.post(RESYNCS, json=DRY, headers=key("k2"))
    assert other.json()["id"] != first.json()["id"]


async def test_the_key_belongs_to_one_request(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    await client.post(RESYNCS, json=DRY, headers=key("k"))
    for path, body in ((RESYNCS, {"dry_run": False}), (f"{V1}/connections/ab/pause", None)):
        answer = await client.post(path, json=body, headers=key("k"))
        assert answer.status_code == 422
        assert answer.json()["code"] == "idempotency_mismatch"
    assert await count(db) == 1


async def test_the_key_belongs_to_one_caller(
    api: Api, client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    await client.post(RESYNCS, json=DRY, headers=key("k"))
    other = await api.token("operator")
    assert (await other.post(RESYNCS, json=DRY, headers=key("k"))).status_code == 202
    assert await count(db) == 2


async def test_of_many_at_once_one_acts(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    answers = await asyncio.gather(
        *(client.post(RESYNCS, json=DRY, headers=key("k")) for _ in range(8))
    )
    assert await count(db) == 1
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert {a.json()["code"] for a in answers if a.status_code == 409} <= {"idempotency_running"}


async def test_a_refused_call_leaves_its_key_free(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    body = {"issues": ["A-1"]}
    assert (await client.post(RESYNCS, json=body, headers=key("k"))).status_code == 422
    pair = {"twins": [{"left": "A-1", "right": "B-1"}]}
    await client.post(f"{V1}/connections/ab/twins", json=pair)
    assert (await client.post(RESYNCS, json=body, headers=key("k"))).status_code == 202


async def test_a_call_whose_process_died_can_be_repeated(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    await client.post(RESYNCS, json=DRY, headers=key("k"))
    await db.execute("UPDATE idempotency SET status = NULL, body = NULL")
    running = await client.post(RESYNCS, json=DRY, headers=key("k"))
    assert running.json()["code"] == "idempotency_running"
    await db.execute("UPDATE idempotency SET created_at = now() - interval '3 minutes'")
    assert (await client.post(RESYNCS, json=DRY, headers=key("k"))).status_code == 202


async def test_an_answer_is_kept_for_a_day(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    await client.post(RESYNCS, json=DRY, headers=key("k"))
    await db.execute("UPDATE idempotency SET created_at = now() - interval '23 hours'")
    await client.post(RESYNCS, json=DRY, headers=key("k"))
    assert await count(db) == 1
    await db.execute("UPDATE idempotency SET created_at = now() - interval '25 hours'")
    await client.post(RESYNCS, json=DRY, headers=key("k"))
    assert await count(db) == 2


async def test_a_secret_is_not_kept_for_a_repeat(
    client: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    body = {"role": "viewer", "owner": "Eva"}
    made = await client.post(f"{V1}/tokens", json=body, headers=key("k"))
    assert made.status_code == 201
    again = await client.post(f"{V1}/tokens", json=body, headers=key("k"))
    assert again.status_code == 409
    assert again.json()["code"] == "secret_not_replayed"
    assert made.json()["id"] in again.json()["detail"]
    assert await db.fetchval("SELECT count(*) FROM tokens") == 1
    kept: Any = await db.fetchval("SELECT body FROM idempotency")
    assert made.json()["token"].encode() not in bytes(kept)


async def test_keys_that_cannot_be(client: httpx.AsyncClient, connected: Jira) -> None:
    for text in ("", "x" * 256, "a b", "\u00e4"):
        headers = httpx.Headers([(b"idempotency-key", text.encode("utf-8"))])
        answer = await client.post(RESYNCS, json=DRY, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["code"] == "idempotency_key"
