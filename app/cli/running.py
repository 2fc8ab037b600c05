"""What `twinlink up` does from its start to its end.

This process holds the data directory, the embedded servers and the listening socket, and starts
the API and a worker as children. It ends when one of them does; they end when it does.
"""

import importlib
import os
import sys
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path

from app import __version__
from app.cli import household, local, output
from app.cli.errors import CommandError, ExitCode
from app.cli.household import Household
from app.cli.stop import Stop, Stopped
from app.embedded import throwaway_directory
from app.settings import Settings


async def service(settings: Settings, port: int, *, json: bool) -> int:
    """Until it is asked to stop: 0. A child that ends by itself is a `CommandError`."""
    stop = Stop()
    async with AsyncExitStack() as stack:
        with suppress(Stopped):
            home = await household.start(settings, port, stop=stop, stack=stack)
            _say_ready(home, json=json)
            return await household.first(_asked(stop), home.children.first_end())
    return ExitCode.DONE


async def demo(settings: Settings, port: int, *, once: bool, json: bool) -> int:
    """As `service`, with the demo beside it. Its end is the end of all, its result the exit
    code."""
    stop = Stop()
    with ExitStack() as outer:
        directory = outer.enter_context(throwaway_directory())
        async with AsyncExitStack() as stack:
            with suppress(Stopped):
                own = _of_its_own(settings, directory)
                home = await household.start(own, port, stop=stop, stack=stack, durable=False)
                # Found without a variable too, unless a real service runs on this machine.
                with suppress(CommandError):
                    household.claim(settings.data_dir, stack)
                    household.announce(home, settings.data_dir, stack)
                _say_ready(home, json=json)
                play = importlib.import_module("app.demo").run
                playing = play(home.settings, home.api_url, once=once, stop=stop.asked)
                return await household.first(_asked(stop), playing, home.children.first_end())
    return ExitCode.DONE


def _of_its_own(settings: Settings, directory: Path) -> Settings:
    """Servers, secrets and data of its own: a demo touches nothing that is configured."""
    servers = {"database_url": None, "migrate_database_url": None, "redis_url": None}
    secrets = {"admin_token": None, "secret_key": (), "installation": None}
    rest = {"data_dir": directory, "allow_private_sites": True, "public_url": None}
    return settings.model_copy(update=servers | secrets | rest)


async def _asked(stop: Stop) -> int:
    await stop.asked.wait()
    return ExitCode.DONE


def _say_ready(home: Household, *, json: bool) -> None:
    kept = home.settings.data_dir / local.ADMIN_TOKEN
    token = str(kept) if kept.exists() else "TWINLINK_ADMIN_TOKEN"
    pids = {"up": os.getpid()} | home.children.pids
    pids |= {server.name.lower(): server.pid for server in home.embedded}
    versions = {server.name: server.version for server in home.embedded}
    if json:
        output.document(
            {"address": home.api_url, "token": token, "versions": versions, "pids": pids}
        )
    else:
        ours = " and ".join(f"{name} {version}" for name, version in versions.items())
        output.line(f"Twinlink {__version__} is ready at {home.api_url}")
        output.line(f"  servers   {ours or 'as the settings say'}")
        output.line(f"  data      {home.settings.data_dir}")
        output.line(f"  token     {token}; commands on this machine find it by themselves")
        output.line("  next      twinlink site put --help, or Ctrl-C to stop")
    sys.stdout.flush()
