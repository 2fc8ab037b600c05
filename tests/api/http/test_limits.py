"""What strangers may hold of a process: bytes, time, and guesses. On real sockets."""

import asyncio
import json
import math
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from app.api.auth.auth_throttle import BURST, SECONDS, Attempts, source_of
from app.api.auth.roles import V1
from app.api.http import protocol
from app.api.http.middleware import HEADERS, UNLESS_SET
from app.api.http.protocol import LARGEST_HEAD, BoundedProtocol
from app.api.routing.route import BODY_LIMIT
from app.settings import Settings
from tests.api.conftest import ADMIN, Api, running

GET = b"GET /healthz HTTP/1.1\r\nHost: twinlink\r\n"


class Quiet(uvicorn.Server):
    """Signals belong to the test run."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def on_air(app: FastAPI) -> AsyncIterator[int]:
    """The application behind our protocol; the port."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        config = uvicorn.Config(
            app, http=BoundedProtocol, ws="none", log_config=None, lifespan="off", access_log=False
        )
        server = Quiet(config)
        task = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            yield bound.getsockname()[1]
        finally:
            server.should_exit = True
            await task


@pytest.fixture
async def port(api: Api) -> AsyncIterator[int]:
    async with on_air(api.app) as port:
        yield port


class Socket:
    """A client that sends what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int) -> AsyncIterator["Socket"]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        """Status, headers and body of one answer."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await self._reader.readexactly(int(headers["content-length"]))
        return int(head[0].split()[1]), headers, json.loads(body)

    async def end(self) -> bytes:
        """What still comes until the other side closes."""
        try:
            return await asyncio.wait_for(self._reader.read(), 20)
        except ConnectionResetError:
            return b""


async def test_an_ordinary_request_and_the_next_one(port: int) -> None:
    async with Socket.to(port) as client:
        for _ in range(3):
            await client.send(GET + b"X-Padding: " + b"x" * 30_000 + b"\r\n\r\n")
            status, headers, body = await client.answer()
            assert (status, body) == (200, {"status": "ok"})
            assert headers["x-content-type-options"] == "nosniff"


async def test_two_requests_in_one_write(port: int) -> None:
    async with Socket.to(port) as client:
        await client.send((GET + b"\r\n") * 2)
        assert [(await client.answer())[0] for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    "head",
    [
        GET + b"X-Long: " + b"x" * LARGEST_HEAD + b"\r\n\r\n",
        GET + b"".join(b"X-%d: y\r\n" % n for n in range(12_000)) + b"\r\n",
        b"GET /" + b"a" * LARGEST_HEAD + b" HTTP/1.1\r\nHost: twinlink\r\n\r\n",
    ],
    ids=["one header", "many headers", "a long address"],
)
async def test_a_head_beyond_the_limit(port: int, head: bytes) -> None:
    async with Socket.to(port) as client:
        await client.send(head)
        status, headers, body = await client.answer()
        assert (status, body["code"]) == (431, "headers_too_large")
        assert headers["content-type"] == "application/problem+json"
        assert headers["connection"] == "close"
        assert await client.end() == b""


async def test_a_header_that_never_ends(port: int) -> None:
    """No callback of the parser ever sees it."""
    async with Socket.to(port) as client:
        await client.send(GET + b"X-Endless: ")
        sent = 0
        try:
            for _ in range(1000):
                await client.send(b"x" * 65_536)
                sent += 1
        except ConnectionError:
            pass
        assert sent < 1000, "the connection went while we were sending"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.4)


async def test_who_connects_and_says_nothing(hasty: None, port: int) -> None:
    async with Socket.to(port) as client:
        assert await client.end() == b""


async def test_a_head_that_drips(hasty: None, port: int) -> None:
    async with Socket.to(port) as client:
        await client.send(GET)
        status, _, body = await client.answer()
        assert (status, body["code"]) == (408, "request_too_slow")
        assert await client.end() == b""


async def test_a_body_that_nobody_reads(hasty: None, port: int) -> None:
    """Answered at once, and its connection does not stay for ever."""
    async with Socket.to(port) as client:
        await client.send(GET + b"Content-Length: 1000000\r\n\r\nx")
        assert (await client.answer())[0] == 200
        assert b"HTTP/1.1 2" not in await client.end()


async def test_a_body_that_drips_into_a_route(hasty: None, port: int) -> None:
    async with Socket.to(port) as client:
        head = f"POST {V1}/tokens HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n"
        await client.send(head.encode() + b"Content-Type: application/json\r\n")
        await client.send(b"Content-Length: 1000\r\n\r\n{")
        assert b"201" not in await client.end()


async def test_an_answer_may_take_longer_than_a_request(hasty: None, api: Api) -> None:
    @api.app.get("/slowly")
    async def slowly() -> dict[str, str]:
        await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.7)
        return {"status": "late"}

    async with on_air(api.app) as port, Socket.to(port) as client:
        await client.send(b"GET /slowly HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.answer())[2] == {"status": "late"}


@pytest.mark.parametrize("garbage", [b"\x00\x01\x02\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n"])
async def test_what_is_no_http(port: int, garbage: bytes) -> None:
    async with Socket.to(port) as client:
        await client.send(garbage)
        status, headers, body = await client.answer()
        assert (status, body["code"]) == (400, "bad_request")
        assert headers["x-content-type-options"] == "nosniff"


async def test_every_answer_has_the_headers_and_every_route_a_limit(api: Api) -> None:
    """Whatever the route and however it is refused; a body beyond the limit never gets in."""
    for token in (None, ADMIN):
        client = api.client(token)
        for path, item in api.contract.document["paths"].items():
            if path.endswith("/events") or path.startswith("/webhooks"):
                continue
            place = path.replace("{name}", "ab").replace("{site}", "x").replace("{id}", "1")
            for method in item:
                sent = {} if method in {"get", "delete"} else {"content": b" " * (BODY_LIMIT + 1)}
                if place in {f"{V1}/pause", f"{V1}/resume", f"{V1}/audit/verifications"}:
                    sent = {}
                answer = await client.request(
                    method.upper(),
                    place.replace("{number}", "1"),
                    headers={"Content-Type": "application/json"},
                    **sent,  # type: ignore[arg-type]
                )
                where = f"{method} {path} {answer.status_code}"
                for name in (*HEADERS, *UNLESS_SET, "X-Request-Id"):
                    assert name in answer.headers, where
                if sent and token and "requestBody" in item[method]:
                    assert answer.status_code == 413, where


# -- guesses


@pytest.fixture
async def guessed(settings: Settings) -> AsyncIterator[tuple[Api, list[float]]]:
    """A service whose clock for attempts stands still, and that clock."""
    async with running(settings) as api:
        now = [1000.0]
        api.app.state.attempts = Attempts(lambda: now[0])
        yield api, now


async def guess(client: httpx.AsyncClient) -> httpx.Response:
    return await client.get(f"{V1}/sites")


async def test_guesses_are_counted_and_then_wait(guessed: tuple[Api, list[float]]) -> None:
    api, now = guessed
    wrong = api.client("a guess at what somebody chose")
    assert {(await guess(wrong)).status_code for _ in range(BURST)} == {401}
    limited = await guess(wrong)
    assert (limited.status_code, limited.json()["code"]) == (429, "too_many_attempts")
    assert limited.headers["Retry-After"] == "3"
    now[0] += SECONDS
    assert (await guess(wrong)).status_code == 401, "one more"
    assert (await guess(wrong)).status_code == 429
    metrics = api.services.metrics.render().decode()
    assert f'twinlink_auth_failures_total{{status="refused"}} {BURST + 1}.0' in metrics
    assert 'twinlink_auth_failures_total{status="limited"} 2.0' in metrics


async def test_the_right_guess_is_refused_too_until_its_turn(
    guessed: tuple[Api, list[float]],
) -> None:
    """Else it would be worth guessing on."""
    api, now = guessed
    wrong = api.client("a guess at what somebody chose")
    for _ in range(BURST):
        await guess(wrong)
    right = api.client(ADMIN)
    assert (await guess(right)).status_code == 429
    now[0] += SECONDS
    assert (await guess(right)).status_code == 200


async def test_whoever_has_a_valid_token_is_never_locked_out(
    guessed: tuple[Api, list[float]],
) -> None:
    api, _ = guessed
    admin = api.client(ADMIN)
    await guess(admin)
    viewer = await api.token("viewer")
    wrong, forged = api.client("a guess"), api.client("twl_" + "A" * 43)
    for _ in range(3 * BURST):
        await guess(wrong)
    assert (await guess(viewer)).status_code == 200, "never seen from here, and no guess finds it"
    assert (await guess(admin)).status_code == 200, "used from here before"
    assert (await guess(forged)).status_code == 429


async def test_a_script_with_a_stale_token_keeps_no_good_one_out(
    guessed: tuple[Api, list[float]],
) -> None:
    """It goes on once a second, as scripts do, behind the address of a person who never called
    from there before."""
    api, now = guessed
    stale, wrong = api.client("twl_" + "A" * 43), api.client("a guess")
    for _ in range(2 * BURST):
        await guess(wrong)
        await guess(stale)
    assert (await guess(api.client(ADMIN))).status_code == 429
    for _ in range(math.ceil(SECONDS)):
        now[0] += 1
        assert (await guess(stale)).status_code == 429
    assert (await guess(api.client(ADMIN))).status_code == 200


async def test_no_token_at_all_is_no_guess(guessed: tuple[Api, list[float]]) -> None:
    api, _ = guessed
    nobody = api.client(None)
    assert {(await guess(nobody)).status_code for _ in range(2 * BURST)} == {401}


def test_addresses_count_apart_and_are_forgotten() -> None:
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for _ in range(100):
        attempts.failed("192.0.2.1")
    assert attempts.wait("192.0.2.1") == SECONDS
    assert attempts.wait("192.0.2.2") == 0
    now[0] = BURST * SECONDS
    assert attempts.wait("192.0.2.1") == 0
    for number in range(20_000):
        attempts.failed(f"source {number}")
        attempts.accepted(f"source {number}", b"x")
    assert len(attempts._owed) == len(attempts._accepted) == 10_000


@pytest.mark.parametrize(
    ("client", "source"),
    [
        (None, ""),
        (("192.0.2.1", 1), "192.0.2.1"),
        (("::ffff:192.0.2.1", 1), "192.0.2.1"),
        (("2001:db8::1", 1), "2001:db8::/64"),
        (("2001:db8::ffff:1", 1), "2001:db8::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("testclient", 1), "testclient"),
    ],
)
def test_who_counts_as_one(client: tuple[str, int] | None, source: str) -> None:
    assert source_of(client) == source


async def test_expired_and_revoked_tokens_count(settings: Settings) -> None:
    admin = settings.model_copy(update={"admin_token": SecretStr(ADMIN)})
    async with running(admin) as api:
        made = await api.client().post(f"{V1}/tokens", json={"role": "viewer", "owner": "x"})
        client = api.client(made.json()["token"])
        assert (await guess(client)).status_code == 200
        await api.client().delete(f"{V1}/tokens/{made.json()['id']}")
        answers = [(await guess(client)).status_code for _ in range(BURST + 1)]
        assert answers == [401] * BURST + [429]
