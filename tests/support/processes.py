"""The service as an operator runs it: `twinlink api` and `twinlink worker`, each a process."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import SecretStr

from app.settings import PREFIX, Settings
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
"""Importing takes a second; several processes on a shared machine take many."""


def environment(settings: Settings, **more: object) -> dict[str, str]:
    """Our environment without settings of its own, and with those of *settings* and *more*."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    said = {**settings.model_dump(exclude_unset=True), **more}
    told = {PREFIX + name.upper(): _text(value) for name, value in said.items()}
    return inherited | {name: text for name, text in told.items() if text}


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return value.get_secret_value()
        case bool():
            return str(int(value))
        case tuple():
            return ",".join(_text(part) for part in value)
        case _:
            return str(value)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


async def ask(url: str, **more: Any) -> httpx.Response:
    """One GET on a connection of its own; the processes behind an address come and go."""
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        return await client.get(url, **more)


@dataclass(frozen=True, slots=True)
class Process:
    """One of them, its log and, if it answers HTTP, its address."""

    name: str
    process: asyncio.subprocess.Process
    log: Path
    url: str = ""

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def peak_memory(self) -> int:
        """The most bytes that were resident at once."""
        return self._memory("VmHWM")

    @property
    def memory(self) -> int:
        return self._memory("VmRSS")

    def _memory(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def end(self, number: signal.Signals = signal.SIGTERM, *, seconds: float = 40.0) -> int:
        """Signal it and wait; its exit status, negative where a signal ended it."""
        if self.process.returncode is None:
            self.send(number)
        return await asyncio.wait_for(self.process.wait(), seconds)


@dataclass(slots=True)
class Processes:
    """Starts processes on one set of settings, and stops those that still run at the end. Each ends
    by itself when the test's process ends, because its standard input is closed then."""

    settings: Settings
    directory: Path
    running: list[Process] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            for it in self.running:
                print(f"--- {it.name}\n{it.log.read_text()[-6000:]}", file=sys.stderr)
        ends = [it.end() for it in self.running]
        statuses = await asyncio.gather(*ends, return_exceptions=True)
        for it, status in zip(self.running, statuses, strict=True):
            if isinstance(status, BaseException):
                await it.end(signal.SIGKILL)
        if error is None:
            left = [status for status in statuses if isinstance(status, BaseException)]
            assert not left, "a process did not stop on SIGTERM"

    async def api(self, *, at: int = 0, **more: object) -> Process:
        """Start an API on port *at*, or any; it is ready when this returns."""
        with socket.create_server(("127.0.0.1", at), backlog=1024) as bound:
            url = f"http://127.0.0.1:{bound.getsockname()[1]}"
            number = bound.fileno()
            made = await self._start("api", url, ("--fd", str(number)), (number,), more)
        await until(
            lambda: self._answers(made, "/readyz"), "the API", seconds=START_SECONDS, every=0.1
        )
        return made

    async def worker(self, **more: object) -> Process:
        """Start a worker; its probes answer at `url` when this returns."""
        made = await self.begin_worker(**more)
        await until(
            lambda: self._answers(made, "/healthz"), "the worker", seconds=START_SECONDS, every=0.1
        )
        return made

    async def begin_worker(self, **more: object) -> Process:
        """Start a worker that may end before its probes answer."""
        port = free_port()
        return await self._start(
            "worker", f"http://127.0.0.1:{port}", (), (), {"worker_port": port, **more}
        )

    async def command(self, *arguments: str, **more: object) -> tuple[int, str]:
        """Exit status and standard output of one run of the command line."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.cli.main", *arguments),
            stdin=DEVNULL,
            stdout=PIPE,
            cwd=ROOT,
            env=environment(self.settings, **more),
        )
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    async def _start(
        self, name: str, url: str, arguments: tuple[str, ...], fds: tuple[int, ...],
        more: Mapping[str, object],
    ) -> Process:  # fmt: skip
        log = self.directory / f"{name}-{next(self._numbers)}.log"
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "app.cli.main", name, "--lifeline", *arguments),
                stdin=PIPE,
                stdout=out,
                stderr=out,
                cwd=ROOT,
                pass_fds=fds,
                env=environment(self.settings, **more),
            )
        made = Process(f"{name} {process.pid}", process, log, url)
        self.running.append(made)
        return made

    async def _up(self, it: Process, path: str) -> None:
        await until(lambda: self._answers(it, path), it.name, seconds=START_SECONDS, every=0.1)

    async def _answers(self, it: Process, path: str) -> bool:
        assert it.process.returncode is None, f"{it.name} ended: {it.log.read_text()[-3000:]}"
        try:
            answer = await ask(it.url + path)
        except httpx.TransportError:
            return False
        return answer.status_code == 200
