"""PostgreSQL behind gates: every statement and the end of every transaction waits its turn.

What a process has in hand when it dies is rolled back, as the server does for a client that is
gone; a COMMIT may have happened although no client got its answer.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import asyncpg

from app.core.errors import TransientError
from app.store.pool import _TRANSIENT, Database, _prepare
from tests.simulation.observer import PostgresObserver
from tests.simulation.process import Process
from tests.simulation.scheduler import Died, Scheduler

Raw = Any  # asyncpg.Connection cannot be subscripted when it runs
SETTINGS = {
    # A plan must not depend on how often its statement ran. Emptying the tables before each
    # story makes all plans invalid, so they are made again.
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}


@dataclass(slots=True, eq=False)
class Wire:
    """One connection of the real kind. `pid` is its backend's."""

    raw: Raw
    pid: int
    lost: bool = False


@dataclass(slots=True)
class Wires:
    """The connections of all stories; each is lent to one process at a time."""

    url: str
    observer: PostgresObserver
    rewrite: Callable[[str], str] = str
    _free: list[Wire] = field(default_factory=list)
    _all: list[Wire] = field(default_factory=list)

    async def take(self, scheduler: Scheduler) -> Wire:
        if self._free:
            return self._free.pop()
        async with scheduler.flight(0):
            return await self.open()

    async def open(self) -> Wire:
        raw = await asyncpg.connect(
            self.url,
            statement_cache_size=1000,
            max_cached_statement_lifetime=0,
            server_settings=SETTINGS,
        )
        await _prepare(raw)
        wire = Wire(raw, raw.get_server_pid())
        self._all.append(wire)
        return wire

    def give(self, wire: Wire) -> None:
        self._free.append(wire)

    async def recover(self, wire: Wire, scheduler: Scheduler) -> None:
        """What the server does when a client is gone."""
        if scheduler.waits_for_a_lock(wire.pid) or wire.raw.is_closed():
            with scheduler.unlocking(but=wire.pid):
                self.observer.terminate(wire.pid)
            await scheduler.landed(wire.pid)
            self._all.remove(wire)
        else:
            with scheduler.unlocking():
                async with scheduler.flight(wire.pid):
                    if wire.raw.is_in_transaction():
                        await wire.raw.execute("ROLLBACK")
            wire.lost = False
            self.give(wire)

    async def close(self) -> None:
        for wire in self._all:
            wire.raw.terminate()


class GatedDatabase(Database):
    """The service's door to PostgreSQL, as one process of a story has it."""

    def __init__(self, process: Process, wires: Wires, scheduler: Scheduler) -> None:
        self._process = process
        self._wires = wires
        self._scheduler = scheduler

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        if self._process.dead:
            raise Died
        wire = await self._wires.take(self._scheduler)
        self._process.wires[wire] = None
        try:
            yield GatedConnection(self._process, wire, self._wires, self._scheduler)
        except _TRANSIENT as error:
            raise TransientError("database_unavailable", type(error).__name__) from error
        finally:
            if not self._process.dead:
                del self._process.wires[wire]
                if wire.lost:
                    await self._wires.recover(wire, self._scheduler)
                else:
                    self._wires.give(wire)

    async def close(self) -> None:
        return None


class GatedConnection:
    """As much of a connection as the store uses. Time-outs of single statements are left out:
    no time passes while PostgreSQL is at one."""

    def __init__(self, process: Process, wire: Wire, wires: Wires, scheduler: Scheduler) -> None:
        self._process = process
        self._wire = wire
        self._raw: Any = wire.raw
        self._rewrite = wires.rewrite
        self._scheduler = scheduler

    async def execute(self, query: str, *args: Any, **_: Any) -> Any:
        return await self._ask("execute", query, args)

    async def executemany(self, query: str, args: Any, **_: Any) -> Any:
        return await self._ask("executemany", query, [args])

    async def fetch(self, query: str, *args: Any, **_: Any) -> Any:
        return await self._ask("fetch", query, args)

    async def fetchmany(self, query: str, args: Any, **_: Any) -> Any:
        return await self._ask("fetchmany", query, [args])

    async def fetchrow(self, query: str, *args: Any, **_: Any) -> Any:
        return await self._ask("fetchrow", query, args)

    async def fetchval(self, query: str, *args: Any, **_: Any) -> Any:
        return await self._ask("fetchval", query, args)

    async def copy_records_to_table(self, table: str, **more: Any) -> Any:
        return await self._act(lambda: self._raw.copy_records_to_table(table, **more))

    async def cursor(self, query: str, *args: Any, prefetch: int = 0) -> AsyncIterator[Any]:
        """All at once: stories are short."""
        for row in await self.fetch(query, *args):
            yield row

    def is_in_transaction(self) -> bool:
        return bool(self._raw.is_in_transaction())

    @asynccontextmanager
    async def transaction(
        self, *, isolation: str = "read committed", readonly: bool = False
    ) -> AsyncIterator[None]:
        nested = self.is_in_transaction()
        begin = f"BEGIN ISOLATION LEVEL {isolation} {'READ ONLY' if readonly else 'READ WRITE'}"
        await self._fly_sql("SAVEPOINT inside" if nested else begin)
        try:
            yield
        except BaseException:
            if not self._process.dead and not self._wire.lost:
                with self._scheduler.unlocking():
                    await self._fly_sql("ROLLBACK TO inside" if nested else "ROLLBACK")
            raise
        if nested:
            await self._fly_sql("RELEASE inside")
        else:
            await self._commit()

    async def _commit(self) -> None:
        """The process may die before it, and nothing has happened, or after it, and all of it has
        happened without an answer to the process."""
        await self._scheduler.gate(self._process, "commit")
        fails = self._process.database_fails(commit=True)
        if fails == "before":
            self._lose()
        with self._scheduler.unlocking():
            await self._fly_sql("COMMIT")
        await self._process.committed()
        await self._scheduler.gate(self._process, "")
        if fails == "after":
            self._lose()

    async def _fly_sql(self, command: str) -> None:
        await self._fly(lambda: self._raw.execute(command))

    async def _ask(self, method: str, query: str, args: Sequence[Any]) -> Any:
        query = self._rewrite(query)
        return await self._act(lambda: getattr(self._raw, method)(query, *args))

    async def _act(self, statement: Callable[[], Awaitable[Any]]) -> Any:
        await self._scheduler.gate(self._process, _place())
        if self._wire.lost or self._process.database_fails(commit=False):
            self._lose()
        return await self._fly(statement)

    def _lose(self) -> None:
        self._scheduler.trace.note(f"{self._process.name}: the connection to PostgreSQL breaks")
        self._wire.lost = True
        raise asyncpg.ConnectionDoesNotExistError("connection was closed")

    async def _fly(self, statement: Callable[[], Awaitable[Any]]) -> Any:
        error: Exception | None = None
        answer: Any = None
        async with self._scheduler.flight(self._wire.pid) as flight:
            if self._process.dead:
                raise Died
            try:
                answer = await statement()
            except Exception as raised:
                error = raised
        if flight.blocked:
            await self._scheduler.gate(self._process, "has its lock")
        if error is not None:
            raise error
        return answer


def _place() -> str:
    """Which function of the store asks."""
    frame: FrameType | None = sys._getframe(3)
    while frame is not None:
        path = frame.f_code.co_filename
        if "/app/" in path:
            module = path.rpartition("/app/")[2].removesuffix(".py").replace("/", ".")
            return f"{module}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "a statement"
