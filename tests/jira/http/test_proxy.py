"""An outbound proxy: https goes by it, and what does not is guarded as before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from app.core.errors import NotSent, PermanentError
from app.jira.client import JiraClient, Options
from app.jira.http.errors import connection_failure
from app.jira.http.network import Route, guarded_transport
from app.jira.http.request import Call
from app.sandbox import JiraSite
from tests.jira.conftest import access
from tests.jira.http.test_tls import served


@dataclass
class Proxy:
    """Opens a tunnel to *port* of this machine, whatever it is asked for; 0: refuses."""

    port: int
    asked: list[str] = field(default_factory=list)
    open: list[asyncio.Task[None]] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.open.append(task)
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.split(b"\r\n")[0].decode())
        if not self.port:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        inner, outer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(copy(reader, outer), copy(inner, writer))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


@asynccontextmanager
async def proxying(port: int) -> AsyncIterator[tuple[str, Proxy]]:
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.answer, "127.0.0.1", 0)
    async with server:
        yield f"http://user:hunter2@127.0.0.1:{server.sockets[0].getsockname()[1]}", proxy
        await asyncio.gather(*proxy.open)


async def test_a_site_behind_a_proxy_is_reached_by_its_name(tmp_path: Path) -> None:
    """The proxy itself may be private, and resolves the name."""
    async with (
        served(tmp_path, "jira.example.org") as (port, certificate),
        proxying(port) as (url, proxy),
        httpx.AsyncClient(
            transport=guarded_transport(Route(ca_file=str(certificate), proxy=url))
        ) as client,
    ):
        assert (await client.get("https://jira.example.org/")).status_code == 200
    assert proxy.asked == ["CONNECT jira.example.org:443 HTTP/1.1"]


@pytest.mark.parametrize("direct", ["localhost", "LOCALHOST."])
async def test_what_goes_directly_is_guarded_still(direct: str) -> None:
    async with proxying(0) as (url, proxy):
        transport = guarded_transport(Route(proxy=url, direct=(direct,)))
        async with httpx.AsyncClient(transport=transport) as client:
            for address in ("https://localhost:9/", "http://localhost:9/"):
                with pytest.raises(PermanentError, match="address_refused"):
                    await client.get(address)
            with pytest.raises((PermanentError, httpx.ConnectError)):
                await client.get("https://below.localhost:9/")
    assert proxy.asked == []


async def test_a_proxy_that_refuses_has_sent_nothing(site: JiraSite) -> None:
    async with proxying(0) as (url, proxy):
        there = access(site, base_url="https://jira.example.org")
        client = JiraClient(there, Options(proxy=url))
        with pytest.raises(NotSent) as refused:
            await client.myself()
        await client.aclose()
    assert (refused.value.code, len(proxy.asked)) == ("unreachable", 1)
    call = Call("issue_link", "POST", "/rest/api/3/issueLink", write=True)
    failure = connection_failure(httpx.ProxyError("407"), call, datetime.now(UTC))
    assert isinstance(failure, NotSent)


def test_a_proxys_password_is_not_shown() -> None:
    url = "http://user:hunter2@proxy.example.org:3128"
    assert "hunter2" not in repr(Options(proxy=url)) + repr(Route(proxy=url))
