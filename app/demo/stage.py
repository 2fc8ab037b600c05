"""The stage of the story: all servers, in one process and event loop, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi import FastAPI
from uvicorn import Config

from app.demo.failed import DemoFailed
from app.demo.people import Pair
from app.demo.service import CONNECTION, Service
from app.demo.truth import Baseline
from app.demo.waiting import until
from app.demo.wire import Wire, tap
from app.main import create_app
from app.process.stop import Stop
from app.sandbox import Served, serve
from app.sandbox.worlds import World, demo
from app.settings import Settings
from app.wiring import open_services
from workers.main import serve as work
from workers.probes import QuietServer

SideName = Literal["left", "right"]
_READY_SECONDS = 30.0
_LAST_REQUESTS_SECONDS = 2
# Jira waits five to fifteen minutes before it sends again, too long for a demo.
_RETRY_SCALE = 0.01


@dataclass
class Stage:
    """`world` is the sandbox's truth; `service` is Twinlink from outside. `vanished` are
    the origins that a step took away, for the step that puts them back. Its `connections` are
    what has to come to rest."""

    world: World
    sites: Mapping[SideName, Served]
    wires: Mapping[SideName, Wire]
    baselines: Mapping[SideName, Baseline]
    service: Service
    versions: Mapping[str, str]
    address: str
    app: FastAPI
    running: list["asyncio.Task[Any]"] = field(default_factory=list)
    vanished: list[Pair] = field(default_factory=list)
    connections: tuple[str, ...] = (CONNECTION,)

    @property
    def left(self) -> Served:
        return self.sites["left"]

    @property
    def right(self) -> Served:
        return self.sites["right"]

    async def quiet(self, what: str, *, seconds: float = 60.0) -> None:
        """Until every webhook is delivered and Twinlink has nothing left to do about any."""
        try:
            await until(f"{what}: Twinlink comes to rest", self._is_quiet, seconds=seconds)
        except DemoFailed as failed:
            status = {name: await self._busy(name) for name in self.connections}
            raise DemoFailed(f"{failed}; {status}; {self._undelivered()}") from None

    async def _busy(self, name: str) -> dict[str, int]:
        return {what: n for what, n in (await self.service.status(name)).items() if n}

    def _undelivered(self) -> str:
        """The webhooks that were not accepted at once, and their outcome."""
        refused = [
            f"{side}: {it.event} {it.status or 'no answer'}, {it.outcome}"
            for side, served in self.sites.items()
            for it in served.site.outbox.log
            if it.outcome != "delivered"
        ]
        return f"webhooks not delivered: {'; '.join(refused) or 'none'}"

    async def _is_quiet(self) -> bool:
        self.raise_for_ended()
        idle = [served.site.outbox.idle for served in self.sites.values()]
        if not all(idle):
            return False
        for name in self.connections:
            if not await self.service.is_quiet(name):
                return False
        # The echo of a write may have left while we asked; then wait for it too.
        return all(served.site.outbox.idle for served in self.sites.values())

    def raise_for_ended(self) -> None:
        """The API and the worker end after the story, never during it."""
        for task in self.running:
            if task.done() and not task.cancelled():
                raise DemoFailed(f"the {task.get_name()} ended") from task.exception()


@asynccontextmanager
async def open_stage(
    settings: Settings,
    bound: socket.socket,
    address: str,
    versions: Mapping[str, str],
    *,
    world: World | None = None,
    connections: tuple[str, ...] = (CONNECTION,),
) -> AsyncIterator[Stage]:
    """Sandbox sites, API and a worker; closed in reverse. `DemoFailed` if one does not start."""
    if world is None:
        world = await asyncio.to_thread(demo, right_flavour="datacenter")
    app = create_app(settings)
    async with AsyncExitStack() as stack:
        left, right = await stack.enter_async_context(serve(world.left, world.right))
        for site in (world.left, world.right):
            site.outbox.scale = _RETRY_SCALE
        service = await stack.enter_async_context(Service(settings, address))
        stage = Stage(
            world=world,
            sites={"left": left, "right": right},
            wires={"left": tap(left), "right": tap(right)},
            baselines={"left": Baseline.of(world.left), "right": Baseline.of(world.right)},
            service=service,
            versions=versions,
            address=address,
            app=app,
            connections=connections,
        )
        await stack.enter_async_context(_serving(stage, bound))
        await stack.enter_async_context(_working(stage, settings))
        yield stage


@asynccontextmanager
async def _serving(stage: Stage, bound: socket.socket) -> AsyncIterator[None]:
    config = Config(
        stage.app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_REQUESTS_SECONDS,
    )
    server = QuietServer(config)
    async with _task(stage, "API", server.serve(sockets=[bound])) as task:
        try:
            # One question is enough: it waits in the listening socket until the API takes it.
            asking = asyncio.create_task(stage.service.ready())
            await asyncio.wait(
                {asking, task}, timeout=_READY_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if not asking.done():
                asking.cancel()
                raise DemoFailed("the API did not start")
            asking.result()
            yield
        finally:
            server.should_exit = True


@asynccontextmanager
async def _working(stage: Stage, settings: Settings) -> AsyncIterator[None]:
    stop = Stop()
    async with (
        open_services(settings) as services,
        _task(stage, "worker", work(services, stop)),
    ):
        try:
            yield
        finally:
            stop.asked.set()


@asynccontextmanager
async def _task(
    stage: Stage, name: str, running: Coroutine[Any, Any, None]
) -> AsyncIterator["asyncio.Task[None]"]:
    """A task beside the story; the caller must ask it to end before the block ends."""
    task = asyncio.create_task(running, name=name)
    stage.running.append(task)
    try:
        yield task
    finally:
        stage.running.remove(task)
        await asyncio.gather(task, return_exceptions=True)
