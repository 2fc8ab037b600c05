"""A look at PostgreSQL from outside the story: a thread with a loop and a connection of its own."""

import asyncio
import os
import signal
import threading
from collections.abc import Coroutine
from typing import Any

import asyncpg


class PostgresObserver:
    """As a superuser. Every call waits for its answer; nothing of it is part of the story."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._conn: Any = self._ask(asyncpg.connect(url))

    def blocked(self, pid: int) -> bool:
        """Whether this backend waits for a lock that another one holds."""
        return bool(
            self._ask(self._conn.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", pid))
        )

    def stop(self, pid: int) -> None:
        """The backend does not notice that it got its lock until it may `go_on`."""
        os.kill(pid, signal.SIGSTOP)

    def go_on(self, pid: int) -> None:
        os.kill(pid, signal.SIGCONT)

    def terminate(self, pid: int) -> None:
        """End this backend; returns when it is gone and its transaction rolled back."""
        self._ask(self._conn.execute("SELECT pg_terminate_backend($1, 5000)", pid))

    def close(self) -> None:
        self._ask(self._conn.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _ask(self, question: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(question, self._loop).result(30)
