"""The database schema of this version, applied from the command line."""

from app.cli.output.errors import CommandError


async def migrated(url: str) -> str:
    """Migrate the database and return its schema version."""
    import asyncpg  # noqa: PLC0415 - slow, and most commands have no database
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from app.store.migrations.head import latest  # noqa: PLC0415
    from app.store.migrations.run import migrate as upgrade  # noqa: PLC0415

    try:
        await upgrade(url)
    except (SQLAlchemyError, asyncpg.PostgresError, OSError) as error:
        # Only the class name: a driver's message may quote the URL or values.
        cause = getattr(error, "orig", None) or error
        reason = type(getattr(cause, "__cause__", None) or cause).__name__
        raise CommandError(
            f"the database could not be migrated: {reason}",
            details=["nothing was changed; `twinlink doctor` may show the cause"],
        ) from None
    return latest()
