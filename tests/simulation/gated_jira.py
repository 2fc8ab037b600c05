"""The way to Jira, in process: a request waits its turn before it acts and once more before its
answer arrives, so that a process may die, or its time run out, between any two of these."""

import json
from collections.abc import Callable
from random import Random
from typing import Protocol

import httpx

from app.sandbox import SiteApp
from tests.simulation.process import HERE, Process
from tests.simulation.scheduler import STRAND, Scheduler


class Watcher(Protocol):
    """Hears of every request of ours at the moment at which Jira acts on it, and of its answer."""

    async def acting(
        self, process: Process, site: str, method: str, path: str, body: bytes
    ) -> None: ...

    def answered(
        self, process: Process, site: str, method: str, path: str, status: int
    ) -> None: ...


class GatedWire(httpx.AsyncBaseTransport):
    """To one site, for one process. `latency` draws how long an answer takes."""

    def __init__(
        self,
        process: Process,
        site: str,
        app: SiteApp,
        scheduler: Scheduler,
        watcher: Watcher,
        latency: Callable[[Random], float],
    ) -> None:
        self._process = process
        self._site = site
        self._app = app
        self._scheduler = scheduler
        self._watcher = watcher
        self._latency = latency

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        method, path = request.method, request.url.path
        short = f"{self._site} {method} {_short(path)}{_ends(request.content)}"
        await self._scheduler.gate(self._process, f"{short} …")
        rest = _rest(path)
        await self._watcher.acting(self._process, self._site, method, rest, request.content)
        answer = await self._ask(request)
        self._scheduler.loop.now += self._latency(self._scheduler.random)
        status = answer.status_code if isinstance(answer, httpx.Response) else 0
        self._watcher.answered(self._process, self._site, method, rest, status)
        await self._scheduler.gate(self._process, f"{short} -> {status or type(answer).__name__}")
        if isinstance(answer, httpx.TransportError):
            raise answer
        return answer

    async def _ask(self, request: httpx.Request) -> httpx.Response | httpx.TransportError:
        # What Jira does late it does whether or not we live.
        here, strand = HERE.set(None), STRAND.set("")
        try:
            reply = await self._app.answer(
                request.method,
                request.url.path,
                request.url.query.decode(),
                {name.lower(): value.decode("latin-1") for name, value in request.headers.raw},
                request.content,
            )
        finally:
            HERE.reset(here)
            STRAND.reset(strand)
        if isinstance(reply, httpx.TransportError):
            return reply
        return httpx.Response(
            reply.status, headers=reply.headers, content=reply.body, request=request
        )


def _rest(path: str) -> str:
    return "/" + path.partition("/rest/api/")[2].partition("/")[2]


def _short(path: str) -> str:
    return _rest(path) if "/rest/api/" in path else path


def _ends(body: bytes) -> str:
    """Whom a new link would join."""
    if b"inwardIssue" not in body:
        return ""
    it = json.loads(body)
    return f" {it['inwardIssue']['id']}>{it['outwardIssue']['id']}"
