"""The address guard: checked when the URL is typed, and again at every connection."""

import asyncio
import socket
from typing import Any

import httpcore
import httpx
import pytest

from app.core.errors import NotSent, PermanentError, TransientError
from app.core.links import LinkId
from app.jira.client import JiraClient
from app.jira.http.network import Route, check_base_url, guarded_transport, is_public
from app.sandbox import JiraSite, serve
from tests.jira.conftest import access
from tests.support.assured import assured


@pytest.mark.parametrize(
    ("url", "problems"),
    [
        ("https://acme.atlassian.net", []),
        ("https://api.atlassian.com/ex/jira/0b1c", []),
        ("https://jira.example.com:8443/jira", []),
        ("http://acme.atlassian.net", ["scheme"]),
        ("ftp://acme.atlassian.net", ["scheme"]),
        ("https://user:pass@acme.atlassian.net", ["userinfo"]),
        ("https://acme.atlassian.net/?x=1", ["query"]),
        ("https://acme.atlassian.net/#x", ["query"]),
        ("https:///rest", ["not_a_url"]),
        ("https://[::1", ["not_a_url"]),
        ("https://0177.0.0.1", ["not_a_url"]),
        ("https://acme.atlassian.net:99999", ["not_a_url"]),
        ("https://acme atlassian.net", ["not_a_url"]),
        ("https://localhost", ["private_address"]),
        ("https://LOCALHOST", ["private_address"]),
        ("https://jira.internal", ["private_address"]),
        ("https://localhost.", ["private_address"]),
        ("https://jira.local.", ["private_address"]),
        ("https://10.0.0.1", ["private_address"]),
        ("https://169.254.169.254", ["private_address"]),
        ("https://[::1]", ["private_address"]),
        ("https://[::ffff:127.0.0.1]", ["private_address"]),
    ],
)
def test_base_urls(url: str, problems: list[str]) -> None:
    assert check_base_url(url, allow_private=False) == problems


def test_private_sites_may_be_allowed() -> None:
    assert check_base_url("http://127.0.0.1:8090/jira", allow_private=True) == []
    assert check_base_url("ftp://127.0.0.1", allow_private=True) == ["scheme"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1",
        "fec0::1",
        "fd00:ec2::254",
        "2001:0:7f00:1::1",
        "3fff::1",
        "168.63.129.16",
        "192.0.0.192",
        "100.100.100.200",
        "198.18.0.1",
        "240.0.0.1",
        "not an address",
    ],
)
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["104.192.142.1", "2606:4700::1", "::ffff:104.192.142.1"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


async def test_a_name_that_leads_inside_is_refused_at_the_connection(site: JiraSite) -> None:
    """The guard is inside the connection pool: a library that changes there breaks this test."""
    async with serve(site) as (served,):
        client = assured(JiraClient(access(site, base_url=served.base_url)))
        with pytest.raises(PermanentError) as caught:
            await client.delete_link(LinkId("1"))
        await client.aclose()
    assert caught.value.code == "address_refused"


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "0177.1", "0", "[::]"])
async def test_other_spellings_of_an_address_are_refused_at_the_connection(host: str) -> None:
    """The resolver reads them as an address; no list of spellings has to."""
    async with httpx.AsyncClient(transport=guarded_transport(Route()), trust_env=False) as client:
        with pytest.raises(PermanentError, match="address_refused"):
            await client.get(f"https://{host}/")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(site: JiraSite, status: int) -> None:
    """Not even to the same host: it could carry the credentials elsewhere."""
    asked: list[str] = []

    def moved(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(status, headers={"location": "http://169.254.169.254/latest"})

    client = JiraClient(access(site), http=httpx.MockTransport(moved))
    with pytest.raises((PermanentError, TransientError)):
        await client.myself()
    await client.aclose()
    assert len(asked) == 1


def answering(*addresses: str) -> Any:
    async def getaddrinfo(host: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    return getaddrinfo


async def test_one_private_address_among_public_ones_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", answering("104.192.142.1", "10.0.0.1"))
    async with httpx.AsyncClient(transport=guarded_transport(Route())) as client:
        with pytest.raises(PermanentError):
            await client.get("https://jira.example.com")


async def test_the_address_that_was_checked_is_the_one_that_is_dialled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dialled: list[str] = []

    async def connect_tcp(self: object, host: str, *_: object) -> None:
        dialled.append(host)
        raise httpcore.ConnectError("refused")

    transport = guarded_transport(Route())
    inner = transport._pool._network_backend._inner  # type: ignore[attr-defined]
    monkeypatch.setattr(type(inner), "connect_tcp", connect_tcp)
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", answering("104.192.142.1", "104.192.142.2"))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("https://jira.example.com")
    assert dialled == ["104.192.142.1", "104.192.142.2"]


async def test_a_name_that_does_not_resolve_was_not_sent(
    site: JiraSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def getaddrinfo(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    client = assured(JiraClient(access(site, base_url="https://nowhere.example")))
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    with pytest.raises(NotSent) as caught:
        await client.delete_link(LinkId("1"))
    await client.aclose()
    assert caught.value.code == "unreachable"
