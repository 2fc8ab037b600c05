"""One uvicorn process with the service's app and one way to deal with a delivery.

`empty` answers and does nothing; `validated` checks everything and stores nothing; `single`
spends one transaction and one job on each delivery; `durable` is the service's own.
"""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.main import create_app
from app.process.gc_tuning import settle_heap
from app.settings import Settings
from app.store.queue.inbox import Arrival, ingest
from app.sync.ingest.group_commit import Status
from app.sync.ingest.inbox import Inbox
from app.sync.ingest.wakeups import ArqQueue
from app.sync.ingest.webhook_sources import Senders
from app.wiring import Services

Variant = Literal["empty", "validated", "single", "durable"]
KEY = "benchmark-secret-key-0123456789ab"


class Nowhere:
    async def add(self, arrival: Arrival, /) -> Status:
        return "accepted"

    async def aclose(self) -> None:
        pass


class OneByOne:
    def __init__(self, services: Services, queue: ArqQueue) -> None:
        self._services = services
        self._queue = queue

    async def add(self, arrival: Arrival, /) -> Status:
        async with self._services.database.connection() as conn:
            ingested = await ingest(conn, [arrival], now=self._services.clock())
        await self._queue.put()
        return "duplicate" if ingested.known else "accepted"

    async def aclose(self) -> None:
        await self._queue.aclose()


class Empty:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(
            {
                "type": "http.response.start",
                "status": 202,
                "headers": [(b"content-type", b"application/json"), (b"content-length", b"2")],
            }
        )
        await send({"type": "http.response.body", "body": b"{}"})


def app_for(variant: Variant, settings: Settings) -> FastAPI:
    app = create_app(settings, only_webhooks=True)
    if variant == "empty":
        app.router.routes.insert(0, Route("/webhooks/jira/{site}", Empty(), methods=["POST"]))
    whole = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with whole(app):
            services, own = app.state.services, app.state.inbox
            if variant == "validated":
                app.state.inbox = _inbox(services, Nowhere())
            elif variant == "single":
                assert settings.redis_url is not None
                queue = ArqQueue(settings.redis_url.get_secret_value())
                app.state.inbox = _inbox(services, OneByOne(services, queue))
            settle_heap()
            yield
            if app.state.inbox is not own:
                await app.state.inbox.aclose()
            app.state.inbox = own

    app.router.lifespan_context = lifespan
    return app


def _inbox(services: Services, commits: Nowhere | OneByOne) -> Inbox:
    senders = Senders(services.database, services.vault, clock=services.clock)
    return Inbox(senders, commits, services.wake, metrics=services.metrics, clock=services.clock)


def main(variant: Variant, database_url: str, redis_url: str) -> None:
    settings = Settings(
        database_url=SecretStr(database_url),
        redis_url=SecretStr(redis_url),
        secret_key=(SecretStr(KEY),),
    )
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app_for(variant, settings),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        backlog=256,
    )
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3])  # type: ignore[arg-type]
