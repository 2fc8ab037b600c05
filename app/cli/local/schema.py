"""The database schema of this version, applied from the command line."""

from app.cli.output.database_errors import DATABASE_URL, said
from app.cli.output.errors import CommandError
from app.core.errors import PermanentError


async def migrated(url: str, variable: str = DATABASE_URL) -> str:
    """Migrate the database and return its schema version. *variable* named the database."""
    import asyncpg  # noqa: PLC0415 - slow, and most commands have no database
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from app.store.migrations.head import latest  # noqa: PLC0415
    from app.store.migrations.run import migrate as upgrade  # noqa: PLC0415
    from app.store.pool import place  # noqa: PLC0415
    from app.store.schema import REMEDIES, Fit  # noqa: PLC0415

    try:
        await upgrade(url)
    except PermanentError as error:
        raise CommandError(
            f"the database has schema {error.facts['found']}, and this version of Twinlink knows"
            f" none after {latest()}",
            details=[f"{REMEDIES[Fit.NEWER]}; nothing was changed"],
        ) from None
    except (SQLAlchemyError, asyncpg.PostgresError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        reason = type(getattr(cause, "__cause__", None) or cause).__name__
        why = said(reason, place(url), variable)
        raise CommandError(why.what, details=[why.remedy, "nothing was changed"]) from None
    return latest()
