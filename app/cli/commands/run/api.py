"""`twinlink api`: the HTTP process."""

import asyncio
import os
import signal
import socket
from enum import StrEnum
from types import FrameType
from typing import Annotated

import typer

from app.cli.local.listen import end_with_parent, listener
from app.cli.output.errors import UsageError
from app.process.exit_code import ExitCode
from app.process.stop import leave_within
from app.settings import Settings, load_settings
from app.telemetry import configure_logging

_LAST_REQUESTS_SECONDS = 10
"""How long a stop waits for open requests. Event streams never end by themselves."""

_STOP_SECONDS = 25
"""An orchestrator kills the process after thirty seconds. By then accepted deliveries are
committed, or PostgreSQL hangs: then they were not acknowledged, and Jira sends them again."""

_IDLE_SECONDS = 75
"""Longer than clients keep idle connections. A webhook that arrives while we close its connection
gets no answer: Jira Cloud sends it again after five minutes at the earliest, Data Center never."""


class Part(StrEnum):
    WEBHOOKS = "webhooks"


def api(
    only: Annotated[
        Part | None, typer.Option(help="Serve only the webhook route and the probes.")
    ] = None,
    descriptor: Annotated[
        int | None, typer.Option("--fd", hidden=True, help="A socket that already listens.")
    ] = None,
    lifeline: Annotated[
        bool, typer.Option(hidden=True, help="End when standard input ends.")
    ] = False,
) -> None:
    """Run the HTTP process: REST, webhooks and probes.

    Reads TWINLINK_HOST and TWINLINK_PORT; needs TWINLINK_DATABASE_URL. SIGTERM stops it after the
    open requests, a second SIGTERM at once.
    """
    settings = load_settings()
    require_database(settings)
    if lifeline:
        end_with_parent()
    if descriptor is None:
        bound = listener(settings.host, settings.port)
    else:
        bound = socket.socket(fileno=descriptor)
    configure_logging(settings.log_level, settings.log_format)
    asyncio.run(_reach(settings))
    _serve(settings, bound, only_webhooks=only is not None)


def require_database(settings: Settings) -> None:
    if settings.database_url is None:
        raise UsageError(
            "TWINLINK_DATABASE_URL is not set",
            details=["`twinlink up` runs everything on this machine with embedded servers"],
        )


async def _reach(settings: Settings) -> None:
    """Fail in one line, as the other commands do, where PostgreSQL is away or refuses us."""
    from app.store.pool import open_pool  # noqa: PLC0415 - slow, and most commands have no database

    assert settings.database_url is not None
    async with await open_pool(settings.database_url.get_secret_value(), low=1, high=1):
        pass


def _serve(settings: Settings, bound: socket.socket, *, only_webhooks: bool) -> None:
    import uvicorn  # noqa: PLC0415 - slow, and no other command needs them

    from app.api.http.protocol import BoundedProtocol  # noqa: PLC0415
    from app.main import create_app  # noqa: PLC0415

    config = uvicorn.Config(
        create_app(settings, only_webhooks=only_webhooks, served=True),
        http=BoundedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_LAST_REQUESTS_SECONDS,
    )
    # uvicorn raises the signal again after it has stopped: exit with 0 then.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)

    class Server(uvicorn.Server):
        """The second signal exits at once. Jira sends a delivery without an answer again."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if self.should_exit:
                os._exit(ExitCode.FAILED)
            leave_within(_STOP_SECONDS)
            super().handle_exit(sig, frame)

    Server(config).run(sockets=[bound])


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit(0)
