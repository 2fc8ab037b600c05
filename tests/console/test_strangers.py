"""What somebody without a session can make the console do, and what a page may follow."""

from collections.abc import AsyncIterator
from xml.etree import ElementTree as ET

import httpx
import pytest

from app.console import live
from app.console.render import shown
from tests.api.conftest import Api
from tests.console.conftest import Browser

PIECE = b"x" * 65536


def client(api: Api) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(api.app), base_url="http://127.0.0.1", follow_redirects=False
    )


async def taken(api: Api, path: str, pieces: int = 16) -> int:
    """How many pieces of a body the service takes before it answers."""
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b"token="
        for _ in range(pieces):
            sent += 1
            yield PIECE

    async with client(api) as http:
        await http.post(path, content=body())
    return sent


@pytest.mark.parametrize("path", ["/sign-out", "/tokens", "/plans/1/approve", "/recover/restore"])
async def test_the_form_of_a_stranger_is_not_read(api: Api, path: str) -> None:
    """Anybody may send one, and a mebibyte of each would be held for as long as it comes."""
    assert await taken(api, path) <= 1


@pytest.mark.parametrize("path", ["/sign-out", "/tokens"])
async def test_neither_is_one_with_a_cookie_of_nothing(api: Api, path: str) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(16):
            sent += 1
            yield PIECE

    async with client(api) as http:
        http.cookies.set("twinlink_session", "x" * 43)
        await http.post(path, content=body())
    assert sent <= 1


async def test_a_sign_in_is_short(api: Api) -> None:
    assert await taken(api, "/sign-in") <= 1


@pytest.mark.parametrize(
    "path", ["/%6Cive?path=/", "/%61pi/v1/me", "/live", "//live", "/l%69ve", "/%2Flive", "/ \x00"]
)
async def test_a_stream_follows_no_stream(browser: Browser, path: str) -> None:
    asked: list[str] = []

    class Client:
        async def get(self, path: str) -> httpx.Response:
            asked.append(path)
            return httpx.Response(404)

    assert await live._look(Client(), path) is None  # type: ignore[arg-type]
    assert asked == []


@pytest.mark.parametrize("sign", ["\ufffe", "\uffff", "\x00", "\x0b", "\x7f", "\u202e"])
def test_a_feed_holds_what_xml_may_hold(sign: str) -> None:
    made = ET.Element("a")
    made.text = shown(f"it is {sign} over")
    assert sign not in str(ET.fromstring(ET.tostring(made)).text)  # noqa: S314
