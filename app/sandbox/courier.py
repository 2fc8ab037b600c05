"""Sends a site's deliveries over HTTP when they are due, several at a time."""

from __future__ import annotations

import asyncio
import ssl
from functools import cache
from types import TracebackType
from typing import Self

import httpx

from app.sandbox.outbox import Delivery
from app.sandbox.site import JiraSite

TIMEOUT = httpx.Timeout(20.0, connect=5.0)


@cache
def in_the_clear() -> ssl.SSLContext:
    """Trusts no authority: all that a sandbox talks to is on loopback, without TLS, and reading the
    usual authorities for each client would take longer than its calls."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Courier:
    """`async with Courier(site)`: deliveries are sent inside the block."""

    def __init__(
        self,
        site: JiraSite,
        *,
        concurrency: int = 16,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.site = site
        self.paused = False
        self._transport = transport
        self._opened: list[httpx.AsyncClient] = []
        self._slots = asyncio.Semaphore(concurrency)
        self._sending: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._client = self._open(self._transport)
        self._loop = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        tasks = [*self._sending, *([self._loop] if self._loop else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in self._opened:
            await client.aclose()

    def reroute(self, transport: httpx.AsyncBaseTransport) -> None:
        """Send through another transport from now on: to a receiver in process, say."""
        self._client = self._open(transport)

    def _open(self, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
        made = httpx.AsyncClient(
            timeout=TIMEOUT, transport=transport, trust_env=False, verify=in_the_clear()
        )
        self._opened.append(made)
        return made

    def pause(self) -> None:
        """Hold deliveries back; what is under way finishes."""
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self.site.outbox.wake()

    async def _run(self) -> None:
        outbox = self.site.outbox
        while True:
            seen = outbox.changes
            if not self.paused:
                for delivery in outbox.pop_due():
                    task = asyncio.create_task(self._send(delivery))
                    self._sending.add(task)
                    task.add_done_callback(self._sending.discard)
            await self._until_due(seen)

    async def _until_due(self, seen: int) -> None:
        """Until the next delivery is due, or something is queued or settled meanwhile."""
        outbox = self.site.outbox
        due = outbox.next_due()
        changed = asyncio.create_task(outbox.changed(seen))
        waits: set[asyncio.Task[None]] = {changed}
        if due is not None and not self.paused:
            left = max(0.0, due - self.site.clock.now())
            waits.add(asyncio.create_task(_sleep(self.site, left)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
            # Nothing is suppressed: this task itself may be cancelled here, and then it has to end.
            await asyncio.gather(*waits, return_exceptions=True)

    async def _send(self, delivery: Delivery) -> None:
        outbox = self.site.outbox
        status: int | None = None
        try:
            async with self._slots:
                answer = await self._client.post(
                    delivery.webhook.url,
                    content=delivery.body,
                    headers=outbox.headers(delivery),
                )
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            status = None
        finally:
            outbox.settle(delivery, status)  # always: else the outbox never gets idle


async def _sleep(site: JiraSite, seconds: float) -> None:
    await site.clock.sleep(seconds)
