"""`twinlink migrate`: bring the database to the schema of this version."""

import asyncio

from app.cli.output import output
from app.cli.output.errors import CommandError, UsageError
from app.cli.output.options import Json
from app.settings import load_settings


def migrate(json: Json = False) -> None:
    """Bring the database to the schema of this version. Running it again does no harm.

    Uses TWINLINK_MIGRATE_DATABASE_URL (the role that owns the schema), else TWINLINK_DATABASE_URL.
    """
    url = load_settings().migrations_url
    if url is None:
        raise UsageError(
            "neither TWINLINK_MIGRATE_DATABASE_URL nor TWINLINK_DATABASE_URL is set",
            details=["`twinlink up` migrates its embedded database by itself"],
        )
    version = asyncio.run(migrated(url.get_secret_value()))
    if json:
        output.document({"version": version})
    else:
        output.line(f"the schema is at {version}")


async def migrated(url: str) -> str:
    """The version that the database is at now."""
    import asyncpg  # noqa: PLC0415 - slow, and most commands have no database
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from app.store.migrations.head import latest  # noqa: PLC0415
    from app.store.migrations.run import migrate as upgrade  # noqa: PLC0415

    try:
        await upgrade(url)
    except (SQLAlchemyError, asyncpg.PostgresError, OSError) as error:
        # Class names only: a driver's message may quote the URL and what it was given.
        cause = getattr(error, "orig", None) or error
        reason = type(getattr(cause, "__cause__", None) or cause).__name__
        raise CommandError(
            f"the database could not be migrated: {reason}",
            details=["nothing was changed; `twinlink doctor` looks closer"],
        ) from None
    return latest()
