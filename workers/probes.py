"""A worker's own probes and metrics, on `TWINLINK_WORKER_PORT`."""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.core.errors import TransientError
from app.process.kept_answer import KeptAnswer
from app.store import schema
from app.store.migrations.head import latest
from app.sync.runtime.context import Context

_KEPT_SECONDS = 1.0
"""As the API's: probes need no token, and a flood of them takes no connection from the passes."""


class QuietServer(uvicorn.Server):
    """Signals belong to the worker, not to its probes."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server(ctx: Context, host: str, port: int, demanded: SecretStr | None) -> QuietServer:
    """Serves `probes`."""
    config = uvicorn.Config(
        probes(ctx, demanded),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
    )
    return QuietServer(config)


def probes(ctx: Context, demanded: SecretStr | None = None) -> Starlette:
    """`/healthz` says that the process runs, `/readyz` that PostgreSQL and schema are there.
    `/metrics` needs the token that is *demanded* of scrapers, where there is one."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    kept = KeptAnswer(partial(_current, ctx), _KEPT_SECONDS)

    async def readyz(_: Request) -> Response:
        current = await kept.get()
        if current is None:
            return JSONResponse({"status": "unavailable", "postgres": "away"}, 503)
        if not current:
            return JSONResponse({"status": "unavailable", "schema": "outdated"}, 503)
        return JSONResponse({"status": "ok", "writes": ctx.permit.refused_for or "ok"})

    async def metrics(request: Request) -> Response:
        if demanded is not None and not _bears(request, demanded):
            return PlainTextResponse("a token is needed\n", 401, {"WWW-Authenticate": "Bearer"})
        return PlainTextResponse(
            ctx.metrics.render_process(), media_type="text/plain; version=0.0.4"
        )

    routes = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
    return Starlette(routes=routes)


async def _current(ctx: Context) -> bool | None:
    """Whether the schema is this version's; None while PostgreSQL does not answer."""
    try:
        async with ctx.database.connection() as conn:
            return await schema.revision(conn) == latest()
    except TransientError:
        return None


def _bears(request: Request, token: SecretStr) -> bool:
    known = f"Bearer {token.get_secret_value()}".encode()
    return hmac.compare_digest(request.headers.get("authorization", "").encode(), known)
