"""A load generator that costs little: raw HTTP/1.1 over kept connections, in a process of its own.

Closed: each connection sends its next delivery when the last one is answered, which finds the
highest rate. Paced: deliveries have times at which they are due, and latency counts from there,
so that a server that stalls is charged for everything that had to wait.
"""

import asyncio
import hmac
import itertools
import json
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import cast
from uuid import uuid4

import uvloop

LINK_TYPE = {
    "id": 10000,
    "name": "Blocks",
    "outwardName": "blocks",
    "inwardName": "is blocked by",
    "isSubTaskLinkType": False,
    "isSystemLinkType": False,
}


@dataclass(frozen=True, slots=True)
class Load:
    """*rate* per second, or None for as fast as it goes. *issues*: ids that link events name."""

    port: int
    path: str
    secret: str
    issues: tuple[int, ...]
    seconds: float
    warm_up: float = 0.5
    connections: int = 64
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """Latencies in milliseconds. *failed*: answers other than 202, and connections lost."""

    rate: float
    p50: float
    p99: float
    failed: int


def run(load: Load) -> Measured:
    """Blocks for the length of the load."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_in_child, load).result(load.seconds + load.warm_up + 60)


def _in_child(load: Load) -> Measured:
    return uvloop.run(_Generator(load).run())


@dataclass(frozen=True, slots=True)
class Template:
    """A request over one link, cut where its signature, its identifier and the link's id go."""

    head: bytes
    body: bytes
    rest: bytes

    def signed(self, secret: bytes, identifier: bytes, link_id: int) -> bytes:
        body = b"%b%d%b" % (self.body, link_id, self.rest)
        signature = hmac.digest(secret, body, "sha256").hex().encode()
        return (
            b"%b%d\r\nX-Hub-Signature: sha256=%b\r\nX-Atlassian-Webhook-Identifier: %b\r\n\r\n%b"
            % (
                self.head,
                len(body),
                signature,
                identifier,
                body,
            )
        )


def templates(load: Load) -> list[Template]:
    """Over all issues. What is sent names a link of its own each time: a body that came before is
    a duplicate, whatever its identifier."""
    made = []
    for number, source in enumerate(load.issues):
        rest = {
            "sourceIssueId": source,
            "destinationIssueId": load.issues[(number * 7 + 1) % len(load.issues)],
            "issueLinkType": LINK_TYPE,
            "systemLink": False,
        }
        head = (
            f"POST {load.path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            "Content-Length: "
        )
        body = '{"timestamp":1594081854017,"webhookEvent":"issuelink_created","issueLink":{"id":'
        tail = "," + json.dumps(rest, separators=(",", ":"))[1:] + "}"
        made.append(Template(head.encode(), body.encode(), tail.encode()))
    return made


class _Generator:
    def __init__(self, load: Load) -> None:
        self._load = load
        self._templates = itertools.cycle(templates(load))
        self._secret = load.secret.encode()
        self._run = uuid4()
        # Apart from the ids of any other run over the same site.
        self._link_ids = itertools.count(self._run.int >> 90 << 24)
        self._idle: deque[_Connection] = deque()
        self._due: deque[float] = deque()
        self._from = self._until = 0.0
        self._latencies: list[float] = []
        self.failed = 0

    async def run(self) -> Measured:
        loop = asyncio.get_running_loop()
        connections = []
        for _ in range(self._load.connections):
            _, connection = await loop.create_connection(
                lambda: _Connection(self), "127.0.0.1", self._load.port
            )
            connections.append(connection)
        began = time.perf_counter()
        self._from = began + self._load.warm_up
        self._until = self._from + self._load.seconds
        if self._load.rate is None:
            for connection in connections:
                connection.send(self.next(), time.perf_counter())
            await asyncio.sleep(self._until - began)
        else:
            self._idle.extend(connections)
            await self._pace(self._load.rate)
        for connection in connections:
            connection.close()
        return self._measured()

    async def _pace(self, rate: float) -> None:
        began = time.perf_counter()
        sent = 0
        while (now := time.perf_counter()) < self._until:
            while sent < (now - began) * rate:
                self._due.append(began + sent / rate)
                sent += 1
            while self._due and self._idle:
                self._idle.popleft().send(self.next(), self._due.popleft())
            await asyncio.sleep(0.001)

    def next(self) -> bytes:
        link_id = next(self._link_ids)
        identifier = b"%b-%d" % (self._run.hex.encode(), link_id)
        return next(self._templates).signed(self._secret, identifier, link_id)

    def answered(self, connection: "_Connection", since: float, *, accepted: bool) -> None:
        now = time.perf_counter()
        self.failed += not accepted
        if self._from <= now < self._until and accepted:
            self._latencies.append(now - since)
        if now >= self._until:
            return
        if self._load.rate is None:
            connection.send(self.next(), now)
        elif self._due:
            connection.send(self.next(), self._due.popleft())
        else:
            self._idle.append(connection)

    def _measured(self) -> Measured:
        if not self._latencies:
            raise RuntimeError(f"nothing was accepted, {self.failed} failed")
        ordered: Sequence[float] = sorted(self._latencies)
        return Measured(
            len(self._latencies) / self._load.seconds,
            1000 * ordered[len(ordered) // 2],
            1000 * ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
            self.failed,
        )


class _Connection(asyncio.Protocol):
    """One request at a time. Answers are short and have a Content-Length."""

    def __init__(self, generator: _Generator) -> None:
        self._generator = generator
        self._transport: asyncio.Transport | None = None
        self._since = 0.0
        self._buffer = b""
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self._generator.failed += not self._closing

    def send(self, request: bytes, since: float) -> None:
        self._since = since
        if self._transport is not None:
            self._transport.write(request)

    def close(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(body) < int(length or 0):
            return
        self._buffer = b""
        accepted = head.startswith(b"HTTP/1.1 202")
        self._generator.answered(self, self._since, accepted=accepted)
