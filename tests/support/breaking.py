"""Exceptions that are raised in place of one chosen statement or request of a worker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from app.store.pool import Connection, Database

_STATEMENTS = {"execute", "executemany", "fetch", "fetchmany", "fetchrow", "fetchval"}


class Planted(Exception):
    """An exception that the program does not expect."""


class Plant:
    """Counts the steps of a worker, and raises *error* in place of step number *at*."""

    def __init__(self, at: int, error: type[Exception] = Planted) -> None:
        self.at = at
        self.seen = 0
        self.name = ""
        self.error = error

    def step(self, name: str) -> None:
        self.seen += 1
        if self.seen == self.at:
            self.name = name
            raise self.error("planted")


class _Statements:
    """A connection whose statements count as steps."""

    def __init__(self, conn: Connection, plant: Plant) -> None:
        self._conn = conn
        self._plant = plant

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._conn, name)
        if name not in _STATEMENTS:
            return found

        async def planted(query: str, *args: Any, **more: Any) -> Any:
            self._plant.step(" ".join(query.split())[:60])
            return await found(query, *args, **more)

        return planted


class BreakingDatabase(Database):
    """The pool of *inner*. Connecting, beginning, committing and each statement are steps."""

    def __init__(self, inner: Database, plant: Plant) -> None:
        self._inner = inner
        self._plant = plant

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        self._plant.step("connect")
        async with self._inner.connection() as conn:
            yield _Statements(conn, self._plant)  # type: ignore[misc]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        self._plant.step("begin")
        async with self._inner.transaction() as conn:
            yield _Statements(conn, self._plant)  # type: ignore[misc]
            self._plant.step("commit")


class BreakingTransport(httpx.AsyncBaseTransport):
    """Each request and each answer is a step."""

    def __init__(self, inner: httpx.AsyncBaseTransport, plant: Plant) -> None:
        self._inner = inner
        self._plant = plant

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._plant.step(f"{request.method} {request.url.path}")
        answer = await self._inner.handle_async_request(request)
        self._plant.step(f"answer to {request.method} {request.url.path}")
        return answer
