"""Migrations go forward only; running them twice does no harm. The SQL is beside each version."""

from pathlib import Path

from alembic import command, op
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.core.errors import PermanentError
from app.store.migrations.head import latest
from app.store.schema import Fit, fit

HERE = Path(__file__).parent
# Two processes that migrate at once queue here instead of racing for the same tables.
_LOCK = 0x7457494E


def execute_beside(version_file: str) -> None:
    """Run the `.sql` file of the same name, as many statements as it holds."""
    sql = Path(version_file).with_suffix(".sql").read_text(encoding="utf-8")
    driver = op.get_bind().connection.dbapi_connection
    assert driver is not None
    driver.run_async(lambda connection: connection.execute(sql))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    return config


def _upgrade(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    _refuse_newer(connection)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _refuse_newer(connection: Connection) -> None:
    """Migrations go forward only, and what a later version made is unknown to this one."""
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar() is None:
        return
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if fit(found, latest()) is Fit.NEWER:
        raise PermanentError("schema_newer", facts={"found": found})


async def migrate(url: str) -> None:
    """Bring the database at *url* (`postgresql://…`, the migrate role) to the newest version.

    Errors: `PermanentError` for a database of a later version; else whatever the driver raises.
    What fails leaves nothing behind.
    """
    scheme, _, rest = url.partition("://")
    engine = create_async_engine(f"{scheme.split('+')[0]}+asyncpg://{rest}", poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()
