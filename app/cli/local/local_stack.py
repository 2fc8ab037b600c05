"""Everything that `twinlink up` runs: servers, schema, secrets, the API and a worker."""

import asyncio
import socket
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.cli.client import data_dir
from app.cli.local.children import Children
from app.cli.local.listen import address
from app.cli.local.schema import migrated
from app.cli.local.servers import Embedded, start_servers
from app.cli.output.errors import CommandError
from app.embedded import EmbeddedError
from app.embedded.process import DirectoryLock
from app.process.stop import Stop
from app.settings import Settings
from app.store.pool import open_pool
from app.store.upkeep import installation

_READY_SECONDS = 60.0
"""Time from the start of the API process to its first answer, on a busy machine."""


@dataclass(frozen=True, slots=True)
class Household:
    """`settings` have the servers, the secrets and the port in use."""

    settings: Settings
    api_url: str
    embedded: tuple[Embedded, ...]
    children: Children


@dataclass(frozen=True, slots=True)
class Ground:
    """Prepare what a service needs: servers, schema, secrets, and the socket it will answer at."""

    settings: Settings
    bound: socket.socket
    embedded: tuple[Embedded, ...]

    @property
    def api_url(self) -> str:
        return address(self.bound)


async def prepare(
    settings: Settings,
    bound: socket.socket,
    *,
    stop: Stop,
    stack: AsyncExitStack,
    durable: bool = True,
) -> Ground:
    """Start the parts in the order of their needs; `stack` ends them in reverse. Errors:
    `CommandError`, and `Stopped` if a stop was requested meanwhile.

    *bound* listens already: a taken port is found at once, and early clients wait."""
    servers = await stop.unless(start_servers(settings, stack, durable=durable))
    await stop.unless(migrated(servers.migrate_url))
    settings = data_dir.with_kept_secrets(servers.settings)
    await stop.unless(_belongs_here(settings))
    settings = settings.model_copy(update={"port": bound.getsockname()[1]})
    return Ground(settings, bound, servers.embedded)


async def start(
    settings: Settings,
    bound: socket.socket,
    *,
    stop: Stop,
    stack: AsyncExitStack,
) -> Household:
    """What `prepare` returns, with the API and a worker running on it."""
    children = Children()
    stop.at_once = children.kill
    ground = await prepare(settings, bound, stop=stop, stack=stack)
    told = data_dir.environment(ground.settings)
    stack.push_async_callback(children.end)
    await children.start("api", f"--fd={bound.fileno()}", environment=told, fds=[bound.fileno()])
    await children.start("worker", environment=told)
    home = Household(ground.settings, ground.api_url, ground.embedded, children)
    await stop.unless(first(_answers(home.api_url), children.first_end()))
    announce(home, settings.data_dir, stack)
    return home


def claim(directory: Path, stack: AsyncExitStack) -> None:
    """Allow one `up` per data directory, even if all of its servers are elsewhere. Comes first: a
    second `up` would otherwise meet the first one's port, and be told to choose another."""
    try:
        data_dir.make_directory(directory)
        stack.callback(DirectoryLock(directory / "up.lock").release)
    except EmbeddedError:
        at = data_dir.running_at(directory)
        raise CommandError(
            f"Twinlink runs here already{f', at {at}' if at else ''}: it holds {directory}",
            details=["use it as it is, or name another directory with TWINLINK_DATA_DIR"],
        ) from None
    except OSError as error:
        raise CommandError(
            f"{directory} cannot hold the data: {error.strerror}",
            details=["name a directory that can be written with --data-dir"],
        ) from None


def announce(home: Household | Ground, directory: Path, stack: AsyncExitStack) -> None:
    """While the service runs, other commands find its address in the data directory."""
    running = data_dir.announce(directory, home.settings, home.api_url)
    stack.callback(running.unlink, missing_ok=True)


async def first(*running: Coroutine[Any, Any, int]) -> int:
    """The result of the task that ends first; the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in running]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _belongs_here(settings: Settings) -> None:
    """Store our installation id in a new database; refuse a database with another id."""
    assert settings.database_url is not None
    pool = await open_pool(settings.database_url.get_secret_value(), low=1, high=1)
    async with pool, pool.acquire() as conn:
        stored = await installation.ensure(conn, settings.installation)
    if stored != settings.installation:
        raise CommandError(
            "the database belongs to another installation",
            details=[f"if it is meant, set TWINLINK_INSTALLATION={stored}"],
        )


async def _answers(api_url: str) -> int:
    """Send one request, which waits in the listening socket until the API accepts it."""
    async with httpx.AsyncClient(timeout=_READY_SECONDS, trust_env=False) as client:
        try:
            answer = await client.get(f"{api_url}/readyz")
        except httpx.TransportError as error:
            raise CommandError(f"the API does not answer: {type(error).__name__}") from None
    if answer.is_error:
        raise CommandError("the API is not ready", details=answer.text.splitlines())
    return 0
