"""A PostgreSQL whose disk is full, as its clients see it.

A real full disk needs a file system of its own, which not every machine lets us mount. So each
table gets a deferred constraint trigger: while the switch is on, it fails with SQLSTATE 53100
(`disk_full`) at the COMMIT of a transaction that wrote a row, which is when a full disk shows at
the latest. Reads go on, as they do on a full disk.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

_INSTALL = """
CREATE SCHEMA disk;
CREATE TABLE disk.room (is_full boolean NOT NULL);
INSERT INTO disk.room VALUES (false);
CREATE FUNCTION disk.check_room() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF (SELECT is_full FROM disk.room) THEN
        RAISE EXCEPTION 'could not extend file: No space left on device'
            USING ERRCODE = 'disk_full';
    END IF;
    RETURN NULL;
END $$;
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('CREATE CONSTRAINT TRIGGER room AFTER INSERT OR UPDATE OR DELETE ON %I '
                       'DEFERRABLE INITIALLY DEFERRED '
                       'FOR EACH ROW EXECUTE FUNCTION disk.check_room()', name);
    END LOOP;
END $$;
"""


async def install(url: str) -> None:
    """As a superuser, once, on a migrated database."""
    conn = await asyncpg.connect(url)
    try:
        await conn.execute(_INSTALL)
    finally:
        await conn.close()


@asynccontextmanager
async def full_disk(url: str) -> AsyncIterator[None]:
    """Inside the block no commit of any client succeeds."""
    await _set(url, is_full=True)
    try:
        yield
    finally:
        await _set(url, is_full=False)


async def _set(url: str, *, is_full: bool) -> None:
    conn = await asyncpg.connect(url)
    try:
        await conn.execute("UPDATE disk.room SET is_full = $1", is_full)
    finally:
        await conn.close()
