"""A link that signs in to the console once, for the person who started the service here."""

from datetime import UTC, datetime

from app.console.session import new_link
from app.settings import Settings
from app.store.pool import Database, open_pool


async def sign_in_link(settings: Settings, address: str) -> str:
    """See `new_link`; *settings* name a database and the administrator's token."""
    assert settings.database_url is not None
    assert settings.admin_token is not None
    pool = await open_pool(settings.database_url.get_secret_value(), low=1, high=1)
    database = Database(pool)
    try:
        token = settings.admin_token.get_secret_value()
        return await new_link(database, address, token, datetime.now(UTC))
    finally:
        await database.close()
