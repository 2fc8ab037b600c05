"""The PostgreSQL and Valkey of `twinlink up`, embedded unless the settings name them."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import SecretStr

from app.cli.output.errors import CommandError
from app.embedded import EmbeddedError, bootstrap_roles, start_postgres, start_valkey
from app.settings import Settings


class _Server(Protocol):
    @property
    def pid(self) -> int: ...
    def version(self) -> str: ...
    def close(self) -> None: ...


S = TypeVar("S", bound=_Server)


@dataclass(frozen=True, slots=True)
class Embedded:
    name: str
    version: str
    pid: int


@dataclass(frozen=True, slots=True)
class Servers:
    """`settings` name both servers; `embedded` are those that this process runs."""

    settings: Settings
    migrate_url: str
    embedded: tuple[Embedded, ...]


async def start_servers(settings: Settings, stack: AsyncExitStack, *, durable: bool) -> Servers:
    """Start the servers that the settings do not name; `stack` stops them."""
    embedded = []
    migrations, database, store = settings.migrations_url, settings.database_url, settings.redis_url
    migrate_url = migrations.get_secret_value() if migrations else ""
    if database is None:
        postgres = await _start(lambda: start_postgres(settings.data_dir, durable=durable), stack)
        migrate_url, run_url = await bootstrap_roles(postgres.url)
        database = SecretStr(run_url)
        embedded.append(Embedded("PostgreSQL", postgres.version(), postgres.pid))
    if store is None:
        valkey = await _start(lambda: start_valkey(settings.data_dir, durable=durable), stack)
        store = SecretStr(valkey.url)
        embedded.append(Embedded("Valkey", valkey.version(), valkey.pid))
    urls = {"database_url": database, "redis_url": store}
    return Servers(settings.model_copy(update=urls), migrate_url, tuple(embedded))


async def _start(start: Callable[[], S], stack: AsyncExitStack) -> S:
    """Start a server in a thread. A cancelled start still waits for it, in order to stop it."""
    starting = asyncio.ensure_future(asyncio.to_thread(start))
    try:
        server = await asyncio.shield(starting)
    except EmbeddedError as error:
        raise CommandError(str(error)) from None
    except asyncio.CancelledError:
        (await starting).close()
        raise
    stack.push_async_callback(asyncio.to_thread, server.close)
    return server
