"""A worker as it is started: what it watches reaches a person, whether it may write or not."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from app.process.stop import Stop
from app.settings import Settings
from app.wiring import open_services
from tests.support.waiting import until
from workers.main import serve


@asynccontextmanager
async def inbox() -> AsyncIterator[tuple[str, "asyncio.Queue[dict[str, Any]]"]]:
    """An address that takes messages, and what came to it."""
    got: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].partition("\r\n")[0])
        got.put_nowait(json.loads(await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 204 X\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        yield f"json://127.0.0.1:{server.sockets[0].getsockname()[1]}/", got


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Any]:
    async with open_services(settings) as services:
        stop = Stop()
        task = asyncio.create_task(serve(services, stop))
        try:
            yield services
        finally:
            stop.signal()
            await task


async def rejected_site(db: asyncpg.Pool) -> None:
    await db.execute(
        """INSERT INTO sites (name, base_url, deployment, auth_kind, auth_sealed,
               webhook_secret_sealed, rejected_recent, rejected_since)
           VALUES ('left', 'https://left.invalid', 'cloud', 'bearer', '', '', 5, now())"""
    )


@pytest.mark.slow
async def test_what_a_worker_notices_reaches_a_person(settings: Settings, db: asyncpg.Pool) -> None:
    await rejected_site(db)
    async with inbox() as (url, got):
        told = settings.model_copy(update={"notify_urls": (SecretStr(url),)})
        async with worker(told) as services, asyncio.timeout(60):
            said = await got.get()
            while "secret" in said["title"]:  # it has none: that is told as well
                said = await got.get()
            assert services.permit.granted
    assert said["title"] == "[Twinlink minor] Deliveries are rejected: left"
    assert "twinlink incident show " in said["message"]
    assert await db.fetchval("SELECT engine FROM engine_starts") == services.engine
    assert await db.fetchval("SELECT system_identifier IS NOT NULL FROM installation")


@pytest.mark.slow
async def test_a_worker_gives_signs_until_it_ends(settings: Settings, db: asyncpg.Pool) -> None:
    alive = "SELECT count(*) > 0 FROM workers WHERE seen_at > now() - interval '60 seconds'"
    async with worker(settings):
        await until(lambda: db.fetchval(alive), "a sign of life")
    assert await db.fetchval("SELECT count(*) FROM workers") == 0


@pytest.mark.slow
async def test_a_worker_on_a_copy_tells_only_that(settings: Settings, db: asyncpg.Pool) -> None:
    await rejected_site(db)
    await db.execute("INSERT INTO installation (id) VALUES ('production')")
    async with inbox() as (url, got):
        told = settings.model_copy(update={"notify_urls": (SecretStr(url),)})
        async with worker(told) as services, asyncio.timeout(60):
            said = await got.get()
            assert not services.permit.granted
    assert said["title"] == "[Twinlink major] A worker belongs to another installation"
    assert "'tests'" in said["message"]
    assert "'production'" in said["message"]
