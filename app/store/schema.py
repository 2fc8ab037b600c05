"""Which version of the schema a database has."""

from enum import StrEnum

import asyncpg

from app.store.pool import Connection


class Fit(StrEnum):
    """A database's schema beside the one that this code expects."""

    SAME = "same"
    EMPTY = "empty"
    OLDER = "older"
    NEWER = "newer"
    """Made by a later version of Twinlink, or by something that this one does not know."""


REMEDIES = {
    Fit.EMPTY: "run twinlink migrate",
    Fit.OLDER: "run twinlink migrate",
    Fit.NEWER: "install the version of Twinlink that migrated the database, or a later one",
}


def fit(found: str | None, expected: str) -> Fit:
    """Versions are numbers of four digits."""
    if found is None:
        return Fit.EMPTY
    if found == expected:
        return Fit.SAME
    return Fit.OLDER if found.isdecimal() and found < expected else Fit.NEWER


async def revision(conn: Connection) -> str | None:
    """The version of the database; None if no migration has run."""
    try:
        found: str | None = await conn.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    return found


async def server_version(conn: Connection) -> str:
    found: str = await conn.fetchval("SHOW server_version")
    return found
