"""Streams of events end with the token that they were opened with."""

import asyncio

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
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
