"""A server process whose life is tied to ours."""

import fcntl
import importlib.util
import os
import pwd
import secrets
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Self

_POLL_SECONDS = 0.01
"""Neither server says when it is ready, so its start is polled."""

# The inner subshell outlives its parent as an orphan, so the server, which takes the shell's
# place, has no child that it does not know. A line on the pipe means that we stopped the server
# ourselves; the end of file means that we are gone, by whatever signal, and it has to go too.
_LIFELINE = """
signal=$1; shift
exec 3<&0 </dev/null
( ( trap '' HUP INT TERM; read -r _ <&3 || kill -"$signal" $$ ) >/dev/null 2>&1 & )
exec 3<&-
exec "$@"
"""


class EmbeddedError(Exception):
    """An embedded server is not installed, cannot start here, or runs already."""


def package_path(package: str, variable: str) -> Path:
    """Where a wheel lies, without importing it (its import has side effects)."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(
            f"the embedded servers are not installed: pip install 'twinlink[embedded]', "
            f"or set {variable}"
        )
    return Path(spec.submodule_search_locations[0])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def secret_from(path: Path) -> str:
    """The secret in this file, made on first use and readable only by us."""
    if not path.exists():
        unfinished = path.with_name(path.name + ".unfinished")
        unfinished.touch(mode=0o600)
        unfinished.write_text(secrets.token_urlsafe(24))
        unfinished.rename(path)  # all or nothing: we may be killed half-way
    return path.read_text()


def clean_environment() -> dict[str, str]:
    """Our environment without variables that affect a server: no PG*, no language, no secrets."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


class DirectoryLock:
    """Only one owner per data directory; the kernel lets go when the owner ends."""

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise EmbeddedError(
                f"another process runs its servers in {path.parent} ({path.name} is taken)"
            ) from None

    def release(self) -> None:
        self._file.close()


class ServerProcess:
    """One running server. `stop_signal` is what ends it gently if we die."""

    def __init__(self, process: subprocess.Popen[bytes], lifeline: int) -> None:
        self._process = process
        self._lifeline: int | None = lifeline

    @classmethod
    def start(
        cls,
        command: list[str | Path],
        *,
        cwd: Path,
        log: Path,
        stop_signal: str,
        account: pwd.struct_passwd | None = None,
    ) -> Self:
        """Start `command`, as `account` if one is given. It gets its own session, so that Ctrl-C
        in the terminal reaches us alone and we end things in order."""
        theirs, ours = os.pipe()
        try:
            with log.open("ab") as output:
                process = subprocess.Popen(
                    ["/bin/sh", "-c", _LIFELINE, "lifeline", stop_signal, *map(str, command)],
                    stdin=theirs,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=cwd,
                    env=clean_environment(),
                    start_new_session=True,
                    user=account.pw_uid if account else None,
                    group=account.pw_gid if account else None,
                    extra_groups=[] if account else None,
                )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        return cls(process, ours)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> bool:
        """Whether it became ready in time. False at once if it ended."""
        deadline = time.monotonic() + seconds
        while self.returncode is None and time.monotonic() < deadline:
            if ready():
                return True
            _ended(self._process, _POLL_SECONDS)
        return False

    def stop(self, signal: int, *, seconds: float = 30.0) -> None:
        """Send `signal` and wait; kill what is still there after `seconds`. Idempotent."""
        if self.returncode is None:
            self._process.send_signal(signal)
            if not _ended(self._process, seconds):
                self._process.kill()
                self._process.wait()
        self._cut()

    def _cut(self) -> None:
        if self._lifeline is None:
            return
        try:
            os.write(self._lifeline, b"\n")
        except BrokenPipeError:
            pass
        finally:
            os.close(self._lifeline)
            self._lifeline = None
