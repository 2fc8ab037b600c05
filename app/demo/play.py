"""Play the story from its first step to its last, and keep the stage open afterwards."""

import asyncio
import json as json_
import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from app.console.session import new_link
from app.demo.failed import DemoFailed
from app.demo.page import install
from app.demo.stage import Stage, open_stage
from app.demo.step import S, Step
from app.demo.steps import STEPS
from app.demo.teller import Teller
from app.settings import Settings
from app.telemetry import configure_logging
from app.wiring import Services

_LOG = "demo.log"
_LAST_LINES = 8
_GRAVE = re.compile(r'"level":"(warning|error|critical)"')

Told = list[tuple[str, str, float]]
"""Title, result and seconds of each step that succeeded."""


async def run(
    settings: Settings,
    bound: socket.socket,
    *,
    address: str,
    versions: Mapping[str, str],
    began: float,
    once: bool,
    json: bool,
) -> int:
    """0 if each step came true, else 1. Without *once* it stays until it is cancelled.

    *settings* name servers, secrets and data that are the demo's alone; *bound* is where it is
    to answer, *address* its URL; *began* is when it all started, on the monotonic clock.
    """
    # Standard output is kept for the document, where one is asked for.
    tell = Teller(sys.stderr if json else sys.stdout, began=began)
    told: Told = []
    log = settings.data_dir / _LOG
    with own_log(settings, log):
        try:
            async with open_stage(settings, bound, address, versions) as stage:
                await _play(stage, tell, told)
                end(tell, told, json=json, address=stage.address)
                if not once:
                    await _stay(stage, tell, log)
        except DemoFailed as failed:
            tell.failed(str(failed), tail(log))
            return 1
    return 0


async def _play(stage: Stage, tell: Teller, told: Told) -> None:
    install(stage)
    tell.title("Twinlink", "keeps issue links in step, and removes only links it provably made")
    await play_steps(stage, STEPS, tell, told, check=stage.raise_for_ended)


async def play_steps(
    scene: S, steps: Sequence[Step[S]], tell: Teller, told: Told, *, check: Callable[[], None]
) -> None:
    """One after the other; *check* after each."""
    for number, step in enumerate(steps, start=1):
        began = monotonic()
        with tell.step(number, len(steps), step.title):
            seen = await step.act(scene, tell)
        check()
        told.append((step.title, seen, monotonic() - began))


def end(tell: Teller, told: Told, *, json: bool, **more: object) -> None:
    """Print the results, and with *json* a document of them with *more*."""
    rows = [("✓", title, seen, f"{took:.1f}") for title, seen, took in told]
    tell.summary(rows)
    tell.say(f"{len(told)} steps; {tell.elapsed():.0f} seconds, servers and all.")
    if json:
        steps = [{"step": it[0], "seen": it[1], "seconds": round(it[2], 2)} for it in told]
        document = {**more, "seconds": round(tell.elapsed(), 1), "steps": steps}
        print(json_.dumps(document, indent=2, ensure_ascii=False), flush=True)  # noqa: T201


async def _stay(stage: Stage, tell: Teller, log: Path) -> None:
    services: Services = stage.app.state.services
    token = services.settings.admin_token
    assert token is not None
    link = await new_link(
        services.database, stage.address, token.get_secret_value(), services.clock()
    )
    tell.gap()
    tell.title("It stays up", "until Ctrl-C; then everything that it made is gone")
    tell.table(
        ("", ""),
        [
            ("console", f"{link}  (signs in once, within ten minutes)"),
            ("sandbox", f"{stage.address}/demo  make and delete links of either site, and watch"),
            ("commands", "twinlink status demo · twinlink plan list · twinlink audit list"),
            ("token", f"{log.with_name('admin.token')}; commands here find it by themselves"),
            ("REST", f"{stage.address}/api/v1, described at {stage.address}/openapi.json"),
            ("sites", f"{stage.left.base_url} (left), {stage.right.base_url} (right)"),
            ("log", str(log)),
        ],
    )
    done, _ = await asyncio.wait(stage.running, return_when=asyncio.FIRST_COMPLETED)
    if done:
        stage.raise_for_ended()


@contextmanager
def own_log(settings: Settings, path: Path) -> Iterator[None]:
    """The service's own log goes to a file, out of the story's way."""
    with path.open("w") as stream:
        configure_logging(settings.log_level, "json", stream=stream)
        try:
            yield
        finally:
            configure_logging("warning", "json")


def tail(log: Path) -> list[str]:
    """The last warnings and errors."""
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if _GRAVE.search(line)][-_LAST_LINES:]
