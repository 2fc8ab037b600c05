"""One PostgreSQL and one Valkey for a whole test run, over all of its processes."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from app.embedded import (
    bootstrap_roles,
    start_postgres,
    start_valkey,
    throwaway_directory,
)

DATABASE_VARIABLE = "TWINLINK_TEST_DATABASE_URL"
REDIS_VARIABLE = "TWINLINK_TEST_REDIS_URL"

_TEMPLATE_LOCK = 0x7717_7E57
"""The first process that needs the template makes it; the others wait for it."""

_REAL_REDIS_DATABASES = 15
"""Database 0 may be in use by a person."""


_MEMORY = Path("/dev/shm")  # noqa: S108 - throwaway_directory makes a name of its own in it
_MEMORY_BYTES = 2 << 30


def throwaway_parent() -> Path | None:
    """Memory if there is plenty, else where temporary files go.

    A database is three hundred files; on a disk that is slow to make files, a test would wait
    0.4 s for each copy of the template instead of 0.01 s.
    """
    if not _MEMORY.is_dir() or not os.access(_MEMORY, os.W_OK):
        return None
    room = os.statvfs(_MEMORY)
    runs_programs = not room.f_flag & os.ST_NOEXEC  # the wheel's binaries may be copied there
    return _MEMORY if runs_programs and room.f_bavail * room.f_frsize > _MEMORY_BYTES else None


@dataclass(frozen=True, slots=True)
class Servers:
    """`postgres` is a superuser's URL, `run` names this test run's databases."""

    postgres: str
    redis: str
    run: str

    @property
    def template(self) -> str:
        return f"twinlink_test_{self.run}_template"

    def packed(self) -> dict[str, str]:
        return {"postgres": self.postgres, "redis": self.redis, "run": self.run}

    def redis_for(self, worker: int) -> str:
        return database_url(self.redis, str(1 + worker % _REAL_REDIS_DATABASES))


class ServersOwner:
    """Starts the servers on first use. Lives in the process that outlives the others."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._servers: Servers | None = None

    def get(self) -> Servers:
        if self._servers is None:
            self._servers = self._start()
        return self._servers

    def _start(self) -> Servers:
        postgres = os.environ.get(DATABASE_VARIABLE)
        redis = os.environ.get(REDIS_VARIABLE)
        directory = self._stack.enter_context(throwaway_directory(throwaway_parent()))
        if not postgres:
            server = start_postgres(directory, durable=False)
            postgres = self._stack.enter_context(server).url
        if not redis:
            valkey = start_valkey(directory, durable=False)
            redis = self._stack.enter_context(valkey).url
        return Servers(postgres, redis, uuid4().hex[:8])

    def close(self) -> None:
        """Databases are dropped only where the server stays."""
        if self._servers is not None and os.environ.get(DATABASE_VARIABLE):
            asyncio.run(_drop_all(self._servers))
        self._stack.close()


@dataclass(frozen=True, slots=True)
class Database:
    """One test's database: `migrate_url` owns it, `run_url` is what the service uses."""

    name: str
    migrate_url: str
    run_url: str

    @classmethod
    def at(cls, name: str, migrate_url: str, run_url: str) -> Self:
        return cls(name, database_url(migrate_url, name), database_url(run_url, name))


async def ensure_template(servers: Servers) -> Database:
    """The migrated database that every test's database is a copy of."""
    from app.store.migrations.run import migrate  # noqa: PLC0415 - only tests with a database need it

    admin = await asyncpg.connect(servers.postgres)
    try:
        await admin.execute("SELECT pg_advisory_lock($1)", _TEMPLATE_LOCK)
        exists = await admin.fetchval(
            "SELECT datistemplate FROM pg_database WHERE datname = $1", servers.template
        )
        urls = await bootstrap_roles(servers.postgres, database=servers.template)
        if not exists:
            await migrate(urls[0])
            await admin.execute(f'ALTER DATABASE "{servers.template}" IS_TEMPLATE true')
    finally:
        await admin.close()
    return Database(servers.template, *urls)


@asynccontextmanager
async def fresh_database(
    servers: Servers, template: Database, *, empty: bool = False
) -> AsyncIterator[Database]:
    """A copy of the template; `empty` gives one that no migration has seen."""
    name = f"twinlink_test_{servers.run}_{uuid4().hex[:12]}"
    database = Database.at(name, template.migrate_url, template.run_url)
    admin = await asyncpg.connect(servers.postgres)
    try:
        if empty:
            await bootstrap_roles(servers.postgres, database=name)
        else:
            owner = urlsplit(database.migrate_url).username
            await admin.execute(
                f'CREATE DATABASE "{name}" TEMPLATE "{template.name}" OWNER "{owner}" '
                "STRATEGY file_copy"
            )
        yield database
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()


async def _drop_all(servers: Servers) -> None:
    admin = await asyncpg.connect(servers.postgres)
    try:
        names = await admin.fetch(
            "SELECT datname FROM pg_database WHERE starts_with(datname, $1)",
            f"twinlink_test_{servers.run}_",
        )
        for (name,) in names:
            await admin.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE false')
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


def database_url(url: str, path: str) -> str:
    """The same server and role, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))
