"""A look at an address where something else than a Jira answers: little is read, and soon ended."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from app.core.errors import PermanentError, TransientError
from app.jira.http import stranger
from app.jira.http.network import Route

OPEN = Route(allow_private=True)
Write = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(write: Write) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await write(writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def whole(body: bytes, *headers: str) -> Write:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()

    return write


@pytest.mark.parametrize(
    "write",
    [
        whole(b"[" * 60_000),
        whole(b"<html>"),
        whole(b"[]"),
        whole(b" " * 70_000),
        whole(gzip.compress(json.dumps({"pad": "x" * 10**7}).encode()), "Content-Encoding: gzip"),
    ],
)
async def test_what_is_no_jira_is_not_read_far(write: Write) -> None:
    async with answering(write) as url:
        with pytest.raises(PermanentError, match="not_jira"):
            await stranger.stated_deployment(OPEN, 5.0, url)


async def test_an_answer_that_never_ends_ends() -> None:
    """Each byte comes in time; the whole does not."""
    gone = asyncio.Event()

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"1\r\n \r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
        finally:
            gone.set()

    async with answering(drip) as url:
        with pytest.raises(TransientError, match="timeout"):
            await asyncio.wait_for(stranger.stated_deployment(OPEN, 0.3, url), 5.0)
        await asyncio.wait_for(gone.wait(), 5.0)


@pytest.mark.parametrize("name", ["jira..example.org", "a" * 64 + ".example.org"])
@pytest.mark.parametrize("route", [OPEN, Route()])
async def test_a_name_that_dns_cannot_spell_is_not_found(name: str, route: Route) -> None:
    with pytest.raises(TransientError, match="unreachable"):
        await stranger.stated_deployment(route, 5.0, f"https://{name}")
