"""The receiver of notifications: a loopback server for the webhooks of Apprise's `json://`."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import time

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workers.probes import QuietServer


@dataclass(frozen=True, slots=True)
class Received:
    """`at` in Unix seconds."""

    at: float
    title: str
    text: str


@dataclass
class Receiver:
    url: str
    received: list[Received] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        said = await request.json()
        self.received.append(Received(time(), said["title"], said["message"]))
        return Response(status_code=204)

    def first(self, *words: str) -> Received | None:
        """The first message whose title has all of these words."""
        return next((it for it in self.received if all(word in it.title for word in words)), None)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """On a free port."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        receiver = Receiver(f"json://127.0.0.1:{bound.getsockname()[1]}/told")
        app = Starlette(routes=[Route("/told", receiver.take, methods=["POST"])])
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
        server = QuietServer(config)
        task = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            yield receiver
        finally:
            server.should_exit = True
            await asyncio.gather(task, return_exceptions=True)
