"""Probes and metrics: nothing about issues. Probes need no token, metrics where an installation
demands one."""

import asyncio
from contextlib import suppress
from functools import cache, partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from redis.exceptions import RedisError

from app.api.auth.auth import authenticate, authorize
from app.api.auth.roles import Role, Rule
from app.api.routing.dependencies import Svc
from app.api.routing.responses import problems
from app.core.errors import TransientError
from app.process.kept_answer import KeptAnswer
from app.store.migrations.head import latest
from app.store.schema import revision
from app.store.upkeep import installation, workers
from app.wiring import Services

router = APIRouter(tags=["health"])
bare = APIRouter(tags=["health"])
"""The probes of a process that faces the Internet: whether, and nothing of why."""
_expected = cache(latest)
_SCRAPING = Rule(Role.VIEWER, everywhere=True)
_SECONDS = 2.0
"""A probe that waits longer says nothing useful."""
KEPT_SECONDS = 1.0
"""How old readiness may be: probes come seldom more often, and no balancer routes by less."""


class Healthy(BaseModel):
    status: Literal["ok"] = "ok"


class Bare(BaseModel):
    status: Literal["ok", "unavailable"]


Writes = Literal["ok", "paused", "read_only", "installation_mismatch", "unknown"]
"""Whether workers with these settings may write to Jira, and if not, why."""


Workers = Literal["ok", "none", "unknown"]
"""Whether a worker has given a sign of life within the last minute."""


class Ready(BaseModel):
    """`degraded`: everything is taken in, some of it done later."""

    status: Literal["ok", "degraded", "unavailable"]
    postgres: Literal["ok", "unavailable"]
    database_schema: Literal["ok", "other", "unknown"]
    redis: Literal["ok", "unavailable", "none"]
    writes: Writes
    workers: Workers


@bare.get("/healthz")
@router.get("/healthz")
async def healthz() -> Healthy:
    """The process answers. Says nothing about what it depends on."""
    return Healthy()


class Readiness:
    """Of one process, as it was a second ago at most: probes need no token, and a flood of them
    takes no connection from those who work."""

    def __init__(self, services: Services) -> None:
        self.schema = KeptAnswer(partial(_schema, services), KEPT_SECONDS)
        self.whole = KeptAnswer(partial(_whole, services), KEPT_SECONDS)


def _readiness(request: Request) -> Readiness:
    readiness: Readiness = request.app.state.readiness
    return readiness


Looks = Annotated[Readiness, Depends(_readiness)]


@router.get("/readyz", responses={503: {"model": Ready, "description": "Not to be sent traffic"}})
async def readyz(looks: Looks, response: Response) -> Ready:
    """PostgreSQL answers and its schema is this version's. Redis away never fails it. As it was a
    second ago at most."""
    ready = await looks.whole.get()
    if ready.status == "unavailable":
        response.status_code = 503
    return ready


@bare.get("/readyz", responses={503: {"model": Bare, "description": "Not to be sent traffic"}})
async def bare_readyz(looks: Looks, response: Response) -> Bare:
    """PostgreSQL answers and its schema is this version's. As it was a second ago at most."""
    if await looks.schema.get() == "ok":
        return Bare(status="ok")
    response.status_code = 503
    return Bare(status="unavailable")


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses=problems("unauthenticated", "forbidden", "too_many_attempts"),
)
async def metrics(request: Request, services: Svc) -> Response:
    """Prometheus text: this process's, and the installation's as the database has them now.
    Labels are names that an administrator gave, never issues. They are of all tenants: with
    `TWINLINK_METRICS_TOKEN` it needs that token, or one that is not restricted to connections."""
    if services.settings.metrics_token is not None:
        authorize(await authenticate(request, services, scraping=True), _SCRAPING)
    # Else those of the last scrape, with its time: an alert looks at how old they are.
    with suppress(TransientError, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            await services.gauges.refresh()
    return Response(services.metrics.render(), media_type="text/plain; version=0.0.4")


async def _whole(services: Services) -> Ready:
    schema = await _schema(services)
    redis = await _redis(services)
    if schema != "ok":
        return Ready(
            status="unavailable",
            postgres="unavailable" if schema == "unknown" else "ok",
            database_schema=schema,
            redis=redis,
            writes="unknown",
            workers="unknown",
        )
    writes = await _writes(services)
    live = await _workers(services)
    degraded = (
        redis == "unavailable" or writes in {"installation_mismatch", "unknown"} or live != "ok"
    )
    return Ready(
        status="degraded" if degraded else "ok",
        postgres="ok",
        database_schema="ok",
        redis=redis,
        writes=writes,
        workers=live,
    )


async def _schema(services: Services) -> Literal["ok", "other", "unknown"]:
    try:
        async with asyncio.timeout(_SECONDS), services.database.connection() as conn:
            found = await revision(conn)
    except (TransientError, TimeoutError):
        return "unknown"
    return "ok" if found == _expected() else "other"


async def _writes(services: Services) -> Writes:
    try:
        async with asyncio.timeout(_SECONDS), services.database.connection() as conn:
            stored = await installation.named(conn)
            pause = await installation.state(conn)
    except (TransientError, TimeoutError):
        return "unknown"
    if stored is not None and stored != services.settings.installation:
        return "installation_mismatch"
    if services.settings.read_only:
        return "read_only"
    return "ok" if pause.paused_at is None else "paused"


async def _workers(services: Services) -> Workers:
    try:
        async with asyncio.timeout(_SECONDS), services.database.connection() as conn:
            last = await workers.last_sign(conn)
    except (TransientError, TimeoutError):
        return "unknown"
    return "ok" if last is not None and last > services.clock() - workers.ALIVE else "none"


async def _redis(services: Services) -> Literal["ok", "unavailable", "none"]:
    if services.redis is None:
        return "none"
    try:
        async with asyncio.timeout(_SECONDS):
            await services.redis.ping()
    except (RedisError, OSError, TimeoutError):
        return "unavailable"
    return "ok"
