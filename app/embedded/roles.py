"""The two roles: one owns the schema and migrates it, the other runs and changes no schema."""

import hashlib
import hmac
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

MIGRATE_ROLE = "twinlink_migrate"
RUN_ROLE = "twinlink_run"
DATABASE = "twinlink"

_BOOTSTRAP_LOCK = 0x7717_11CC
"""Roles belong to the whole server, and two who create them at once collide in its catalogue."""


async def bootstrap_roles(admin_url: str, *, database: str = DATABASE) -> tuple[str, str]:
    """Make both roles and the database; return `(migrate_url, run_url)`. Idempotent.

    For servers that are ours alone, embedded or for tests: the roles' passwords are derived from
    the administrator's, so that every process comes to the same without storing one.
    """
    migrate_url, run_url = (_role_url(admin_url, r, database) for r in (MIGRATE_ROLE, RUN_ROLE))
    admin = await asyncpg.connect(admin_url)
    try:
        await admin.execute("SELECT pg_advisory_lock($1)", _BOOTSTRAP_LOCK)
        for role, url in ((MIGRATE_ROLE, migrate_url), (RUN_ROLE, run_url)):
            await _ensure_role(admin, role, urlsplit(url).password or "")
        if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            await admin.execute(f'CREATE DATABASE "{database}" OWNER "{MIGRATE_ROLE}"')
            await admin.execute(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')
        await admin.execute(f'GRANT CONNECT ON DATABASE "{database}" TO "{RUN_ROLE}"')
    finally:
        await admin.close()
    owner = await asyncpg.connect(migrate_url)
    try:
        await owner.execute(f'GRANT USAGE ON SCHEMA public TO "{RUN_ROLE}"')
    finally:
        await owner.close()
    return migrate_url, run_url


async def _ensure_role(admin: asyncpg.Connection, role: str, password: str) -> None:
    if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await admin.execute(f'CREATE ROLE "{role}"')
    # ALTER ROLE takes no parameters; the password is hexadecimal.
    await admin.execute(
        f"ALTER ROLE \"{role}\" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{password}'"
    )


def _role_url(admin_url: str, role: str, database: str) -> str:
    parts = urlsplit(admin_url)
    key = unquote(parts.password or "").encode()
    password = hmac.new(key, role.encode(), hashlib.sha256).hexdigest()
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{password}@{host}", path=f"/{database}"))
