"""The API process: `create_app(settings)` is what a server runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from fastapi import FastAPI

from app import __version__
from app.api.auth.auth_throttle import Attempts
from app.api.http import exception_handlers
from app.api.http.bodies import Intake
from app.api.http.middleware import Surroundings
from app.api.http.one_at_a_time import OneAtATime
from app.api.routes.health import Readiness
from app.api.routes.routers import API, BARE, WEBHOOKS
from app.api.routes.webhooks import NearlyRight
from app.api.routing import openapi
from app.console.pages.status import StatusCache
from app.console.routes import routes as console_routes
from app.core.errors import TransientError
from app.process.event_streams import OpenStreams
from app.process.gc_tuning import settle_heap
from app.settings import Settings
from app.sync.incidents import absence
from app.wiring import build_inbox, open_services


def create_app(settings: Settings, *, only_webhooks: bool = False, served: bool = False) -> FastAPI:
    """The application; it connects in its lifespan. *only_webhooks* leaves out the REST API, the
    metrics and the detail of readiness, for processes that face the Internet. *served*: it has
    the process to itself, so its heap may be settled once it has started."""
    app = FastAPI(
        title="Twinlink",
        version=__version__,
        lifespan=_lifespan,
        openapi_url=None if only_webhooks else "/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.served = served
    app.state.intake = Intake()
    app.state.attempts = Attempts()
    app.state.explaining = OneAtATime()
    app.state.streams = OpenStreams()
    app.state.public_status = StatusCache()
    app.add_middleware(Surroundings)
    exception_handlers.install(app)
    for router in (*WEBHOOKS, *(BARE if only_webhooks else API)):
        app.include_router(router)
    openapi.install(app)
    if not only_webhooks:
        app.router.routes.extend(console_routes())
    app.router.routes.append(NearlyRight())
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(app.state.settings))
        app.state.services = services
        app.state.readiness = Readiness(services)
        with suppress(TransientError):  # the first use of a secret asks again
            await services.binding.ensure()
        app.state.inbox = build_inbox(services)
        # Before the services close: what was taken in is committed first.
        stack.push_async_callback(app.state.inbox.aclose)
        if app.state.served:
            settle_heap()
        watching = asyncio.create_task(absence.keep(services.context))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
