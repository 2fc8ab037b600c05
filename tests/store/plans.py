"""How PostgreSQL carries out the statements of a call: which tables it reads whole, and how many
blocks it touches. Counts, not times."""

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg

Conn = asyncpg.pool.PoolConnectionProxy
Call = Callable[[Conn], Awaitable[object]]

GROWING = frozenset(
    ("audit", "inbox", "intents", "ledger", "plan_changes", "twins", "work", "made_links")
)
"""Tables with a row for each link, pair, write or event."""


@dataclass(frozen=True, slots=True)
class Carried:
    """One statement. `scans` are growing tables that it read from end to end."""

    query: str
    scans: tuple[str, ...]
    blocks: int


async def carried(conn: Conn, call: Call) -> list[Carried]:
    """The statements of *call*, each explained as it ran; nothing of it is kept."""
    said: list[tuple[str, tuple[Any, ...]]] = []

    def hear(it: asyncpg.connection.LoggedQuery) -> None:
        said.append((it.query, tuple(it.args or ())))

    async with _undone(conn):
        await conn.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        with conn.query_logger(hear):
            await call(conn)
    return [
        await _explained(conn, query, args)
        for query, args in said
        if query.lstrip().upper().startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE"))
        and "pg_catalog" not in query
    ]


async def _explained(conn: Conn, query: str, args: tuple[Any, ...]) -> Carried:
    async with _undone(conn):
        await conn.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        found = await conn.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}", *args)
    [plan] = json.loads(found)
    nodes = list(_nodes(plan["Plan"]))
    scans = {it["Relation Name"] for it in nodes if it["Node Type"] == "Seq Scan"} & GROWING
    blocks = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    return Carried(" ".join(query.split()), tuple(sorted(scans)), blocks)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    # What never ran costs nothing.
    if plan.get("Actual Loops", 1):
        yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


class _undone:  # noqa: N801 - a context manager, read as a verb
    def __init__(self, conn: Conn) -> None:
        self._transaction = conn.transaction()

    async def __aenter__(self) -> None:
        await self._transaction.start()

    async def __aexit__(self, *_: object) -> None:
        await self._transaction.rollback()
