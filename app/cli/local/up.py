"""Run `twinlink up` from its start to its end.

This process holds the data directory, the embedded servers and the listening socket, and starts
the API and a worker as children. When a child ends, this process ends, and the other way round.
"""

import os
import socket
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, ExitStack, suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from app import __version__
from app.cli.client import data_dir
from app.cli.local import local_stack
from app.cli.local.listen import listener
from app.cli.local.local_stack import Household
from app.cli.local.sign_in import sign_in_link
from app.cli.output import output
from app.cli.output.errors import CommandError
from app.embedded import throwaway_directory
from app.process.exit_code import ExitCode
from app.process.stop import Stop, Stopped
from app.settings import Settings


async def service(settings: Settings, port: int, *, json: bool) -> int:
    """Run until asked to stop, and return 0. `CommandError` if a child ends by itself."""
    stop = Stop()
    stop.listen()
    async with AsyncExitStack() as stack:
        with suppress(Stopped):
            local_stack.claim(settings.data_dir, stack)
            bound = stack.enter_context(listener(settings.host, port))
            home = await local_stack.start(settings, bound, stop=stop, stack=stack)
            link = await sign_in_link(home.settings, home.api_url)
            _say_ready(home, link, json=json)
            return await local_stack.first(_asked(stop), home.children.first_end())
    return ExitCode.DONE


async def demo(settings: Settings, port: int | None, *, once: bool, json: bool) -> int:
    """Run the demo and return its exit code. With *once*, a stop before its end is a failure."""
    from app import demo as play  # noqa: PLC0415 - slow, and no other command needs it

    stopped = ExitCode.FAILED if once else ExitCode.DONE
    return await _played(settings, port, partial(play.run, once=once, json=json), stopped)


async def drill(settings: Settings, port: int | None, *, json: bool) -> int:
    """Run the drill and return its exit code: 0 only if every step succeeded."""
    from app.demo import drill as play  # noqa: PLC0415 - as the demo

    return await _played(settings, port, partial(play.run, json=json), ExitCode.FAILED)


async def _played(
    settings: Settings,
    port: int | None,
    play: Callable[..., Coroutine[Any, Any, int]],
    stopped: ExitCode,
) -> int:
    """Run a demo or drill in this process, on servers and data that end with it."""
    began = monotonic()
    stop = Stop()
    stop.listen()
    with ExitStack() as outer:
        directory = outer.enter_context(throwaway_directory())
        async with AsyncExitStack() as stack:
            with suppress(Stopped):
                own = _of_its_own(settings, directory)
                local_stack.claim(own.data_dir, stack)
                bound = stack.enter_context(_listener_somewhere(settings, port))
                ground = await local_stack.prepare(
                    own, bound, stop=stop, stack=stack, durable=False
                )
                # Commands find it without a variable, unless a real service runs on this machine.
                with suppress(CommandError):
                    local_stack.claim(settings.data_dir, stack)
                    local_stack.announce(ground, settings.data_dir, stack)
                versions = {server.name: server.version for server in ground.embedded}
                playing = play(
                    ground.settings, bound, address=ground.api_url, versions=versions, began=began
                )
                return await local_stack.first(_asked(stop, stopped), playing)
    return stopped


def _listener_somewhere(settings: Settings, port: int | None) -> socket.socket:
    """The requested port, or an error; without a request, the usual port if it is free."""
    if port is None and "port" in settings.model_fields_set:
        port = settings.port
    if port is not None:
        return listener(settings.host, port)
    try:
        return listener(settings.host, settings.port)
    except CommandError:
        return listener(settings.host, 0)


def _of_its_own(settings: Settings, directory: Path) -> Settings:
    """Settings with servers, secrets and data of its own: a demo touches no configured ones."""
    servers = {"database_url": None, "migrate_database_url": None, "redis_url": None}
    secrets = {"admin_token": None, "secret_key": (), "installation": None}
    rest = {"data_dir": directory, "allow_private_sites": True, "public_url": None}
    people = {"notify_urls": (), "page_urls": ()}  # its incidents are played
    return settings.model_copy(update=servers | secrets | rest | people)


async def _asked(stop: Stop, code: ExitCode = ExitCode.DONE) -> int:
    await stop.asked.wait()
    return code


def _say_ready(home: Household, link: str, *, json: bool) -> None:
    kept = home.settings.data_dir / data_dir.ADMIN_TOKEN
    token = str(kept) if kept.exists() else "TWINLINK_ADMIN_TOKEN"
    pids = {"up": os.getpid()} | home.children.pids
    pids |= {server.name.lower(): server.pid for server in home.embedded}
    versions = {server.name: server.version for server in home.embedded}
    if json:
        output.document(
            {
                "address": home.api_url,
                "console": link,
                "token": token,
                "versions": versions,
                "pids": pids,
            }
        )
    else:
        ours = " and ".join(f"{name} {version}" for name, version in versions.items())
        output.line(f"Twinlink {__version__} is ready at {home.api_url}")
        output.line(f"  console   {link} (signs in once, within ten minutes)")
        output.line(f"  servers   {ours or 'from the settings'}")
        output.line(f"  data      {home.settings.data_dir}")
        output.line(f"  token     {token}; commands on this machine find it without help")
        output.line("  next      twinlink site put --help, or Ctrl-C to stop")
    sys.stdout.flush()
