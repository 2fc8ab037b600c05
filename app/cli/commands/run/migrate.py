"""`twinlink migrate`: update the database to the schema of this version."""

import asyncio

from app.cli.local.schema import migrated
from app.cli.output import output
from app.cli.output.database_errors import DATABASE_URL, MIGRATE_URL
from app.cli.output.errors import UsageError
from app.cli.output.options import Json
from app.settings import load_settings


def migrate(json: Json = False) -> None:
    """Update the database to the schema of this version. Running it again does no harm.

    Uses TWINLINK_MIGRATE_DATABASE_URL (the role that owns the schema), else TWINLINK_DATABASE_URL.
    """
    settings = load_settings()
    url = settings.migrations_url
    if url is None:
        raise UsageError(
            "neither TWINLINK_MIGRATE_DATABASE_URL nor TWINLINK_DATABASE_URL is set",
            details=["`twinlink up` migrates its embedded database by itself"],
        )
    variable = MIGRATE_URL if settings.migrate_database_url else DATABASE_URL
    version = asyncio.run(migrated(url.get_secret_value(), variable))
    if json:
        output.document({"version": version})
    else:
        output.line(f"the schema is at {version}")
