"""The salt with which account ids are hashed before they are stored: see `core.accounts`."""

from app.store.pool import Connection


async def salt(conn: Connection) -> bytes:
    """The salt, made with the database and never changed."""
    found = await conn.fetchval("SELECT salt FROM account_salt")
    return bytes(found.bytes)
