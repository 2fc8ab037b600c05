"""A worker's own probes and metrics, on `TWINLINK_WORKER_PORT`."""

from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.core.errors import TransientError
from app.store import schema
from app.store.migrations.head import latest
from app.sync.runtime.context import Context


class QuietServer(uvicorn.Server):
    """Signals belong to the worker, not to its probes."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server(ctx: Context, host: str, port: int) -> QuietServer:
    """`/healthz` says that the process runs, `/readyz` that PostgreSQL and schema are there."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        try:
            async with ctx.database.connection() as conn:
                current = await schema.revision(conn) == latest()
        except TransientError:
            return JSONResponse({"status": "unavailable", "postgres": "away"}, 503)
        if not current:
            return JSONResponse({"status": "unavailable", "schema": "outdated"}, 503)
        return JSONResponse({"status": "ok", "writes": ctx.permit.refused_for or "ok"})

    async def metrics(_: Request) -> Response:
        return PlainTextResponse(
            ctx.metrics.render_process(), media_type="text/plain; version=0.0.4"
        )

    routes = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
    config = uvicorn.Config(
        Starlette(routes=routes),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
    )
    return QuietServer(config)
