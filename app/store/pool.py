"""The only access to PostgreSQL: connections, transactions, and the translation of errors."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import asyncpg

from app.core.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
    Row = asyncpg.Record
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool
    Row = asyncpg.Record

# PostgreSQL is away, full, starting or stopping, or a second try resolves the conflict.
_TRANSIENT = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.PostgresIOError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # asyncpg's error for a connection that broke during an operation
    OSError,
    TimeoutError,
)


async def _prepare(connection: Any) -> None:
    # Binary, so that COPY can carry it too; the first byte is the version of jsonb's format.
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: b"\x01" + json.dumps(value).encode(),
        decoder=lambda raw: json.loads(raw[1:]),
        schema="pg_catalog",
        format="binary",
    )


async def _clean(connection: Any) -> None:
    """Prepare a connection for its return to the pool. A full reset would cost a round trip for
    nothing, because no code changes the state of a session. Only an open transaction is reset."""
    if connection.is_in_transaction():
        await connection.reset()


# A process that is stopped inside a transaction keeps its locks, a connection's among them, and
# every other worker out. Nothing but statements happens inside ours, milliseconds apart.
IDLE_SECONDS = 15.0


async def open_pool(
    url: str, *, low: int = 1, high: int = 10, idle_seconds: float = IDLE_SECONDS
) -> Pool:
    """A pool whose connections speak jsonb as Python values. PostgreSQL ends a transaction that
    is idle for *idle_seconds*; the next statement in it raises `TransientError`.

    Raises `TransientError` where PostgreSQL is away, and `PermanentError` where it refuses us."""
    try:
        return await asyncpg.create_pool(
            url,
            min_size=low,
            max_size=high,
            init=_prepare,
            reset=_clean,
            timeout=10,
            command_timeout=60,
            server_settings={"idle_in_transaction_session_timeout": f"{idle_seconds * 1000:.0f}"},
        )
    except _TRANSIENT as error:
        raise TransientError(UNAVAILABLE, type(error).__name__, facts=place(url)) from error
    except asyncpg.PostgresError as error:
        raise PermanentError(REFUSED, type(error).__name__, facts=place(url)) from error


UNAVAILABLE, REFUSED = "database_unavailable", "database_refused"


def place(url: str) -> dict[str, str | int | float | None]:
    """Where a URL leads and as whom, without its password."""
    parts = urlsplit(url)
    return {
        "host": parts.hostname or "this machine",
        "port": parts.port or 5432,
        "role": unquote(parts.username or ""),
        "database": unquote(parts.path.removeprefix("/")),
    }


class Database:
    """A pool behind two context managers. Both raise `TransientError` when PostgreSQL is
    away or asks for a retry; a constraint that was broken stays what it is."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection without a transaction: each statement commits by itself."""
        try:
            async with self._pool.acquire(timeout=10) as connection:
                yield connection
        except _TRANSIENT as error:
            raise TransientError("database_unavailable", type(error).__name__) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """READ COMMITTED. Returning normally means committed; an error means rolled back,
        except when the connection broke during COMMIT: then it is unknown, and callers read."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def close(self) -> None:
        await self._pool.close()
