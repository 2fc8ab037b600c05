"""Streams of events end with the token that they were opened with."""

import asyncio

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
from app.process import event_streams
from app.process.event_streams import PER_TOKEN
from tests.api.auth.test_confinement import removed
from tests.api.conftest import Api, Jira

OVER = ("revoked_at = now()", "expires_at = now() - interval '1 second'", "confined_to = '{}'")


async def subject(client: httpx.AsyncClient, db: asyncpg.Pool, kind: str) -> str:
    if kind == "resyncs":
        made = await client.post(f"{V1}/connections/ab/resyncs", json={})
    else:
        await removed(db, 1)
        made = await client.post(f"{V1}/restores", json={"connection": "ab"})
    assert made.status_code == 202, made.text
    return f"{V1}/{kind}/{made.json()['id']}/events"


@pytest.mark.parametrize("kind", ["resyncs", "restores"])
@pytest.mark.parametrize("change", OVER)
async def test_a_stream_ends_when_its_token_may_no_longer(
    api: Api, client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool, kind: str, change: str
) -> None:
    """Its subject goes on: without the token the stream would, too."""
    path = await subject(client, db, kind)
    reader = await api.token("viewer", connections=["ab"])
    stream = asyncio.create_task(reader.get(path))
    done, _ = await asyncio.wait([stream], timeout=1.2)
    assert not done
    await db.execute(f"UPDATE tokens SET {change}")  # noqa: S608
    async with asyncio.timeout(10):
        answer = await stream
    assert answer.text.count("event: progress") == 1
    assert "event: end" not in answer.text
    assert (await reader.get(path)).status_code in {401, 404}


async def opened(client: httpx.AsyncClient, path: str, count: int) -> list["asyncio.Task[int]"]:
    """So many streams, each a task that ends with the status of its answer."""

    async def read() -> int:
        return (await client.get(path)).status_code

    tasks = [asyncio.create_task(read()) for _ in range(count)]
    await asyncio.wait(tasks, timeout=1.0)
    return tasks


async def closed(tasks: list["asyncio.Task[int]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_streams_of_a_token_are_bounded(
    api: Api, client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    """The oldest stay, the next one is refused, and another token has its own."""
    path = await subject(client, db, "restores")
    reader = await api.token("viewer", connections=["ab"])
    tasks = await opened(reader, path, PER_TOKEN)
    try:
        assert not any(task.done() for task in tasks)
        refused = await reader.get(path)
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["Retry-After"]) >= 1
        said = refused.json()
        assert (said["code"], said["detail"]) == (
            "too_many_streams",
            f"at most {PER_TOKEN} open streams per token",
        )
        assert not any(task.done() for task in tasks)
        another = await opened(await api.token("viewer"), path, 1)
        assert not another[0].done()
        await closed([tasks.pop(), *another])
        tasks += await opened(reader, path, 1)
        assert not any(task.done() for task in tasks)
    finally:
        await closed(tasks)


async def test_the_streams_of_a_process_are_bounded(
    api: Api,
    client: httpx.AsyncClient,
    connected: Jira,
    db: asyncpg.Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_streams, "PER_PROCESS", 3)
    path = await subject(client, db, "restores")
    tasks = await opened(await api.token("viewer"), path, 2)
    tasks += await opened(client, path, 1)
    try:
        refused = await client.get(path)
        assert refused.json()["detail"] == "at most 3 open streams per process"
        assert not any(task.done() for task in tasks)
    finally:
        await closed(tasks)
    [again] = await opened(client, path, 1)
    assert not again.done()
    await closed([again])
