"""Sockets to listen on, and the end of a process when its parent is gone."""

import os
import signal
import socket
import threading

from app.cli.output.errors import CommandError

_BACKLOG = 2048


def listener(host: str, port: int) -> socket.socket:
    """A socket that listens, so that early clients wait instead of being refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise CommandError(
            f"cannot listen on {host} port {port}: {error.strerror}",
            details=["choose another with TWINLINK_HOST and TWINLINK_PORT"],
        ) from None


def address(bound: socket.socket) -> str:
    """The URL at which this machine reaches the socket."""
    host, port = bound.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def end_with_parent() -> None:
    """Stop as on SIGTERM when standard input ends: the parent holds its other end, and the kernel
    closes that however the parent ends."""

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin: this thread would hold its lock at exit
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
