"""`twinlink worker`: the process that compares twins and writes links."""

from typing import Annotated

import typer

from app.cli.commands.run.api import require_database
from app.cli.local.listen import end_with_parent
from app.settings import load_settings
from app.telemetry import configure_logging


def worker(
    lifeline: Annotated[
        bool, typer.Option(hidden=True, help="End when standard input ends.")
    ] = False,
) -> None:
    """Run a worker process. Start as many as you like, on as many machines.

    Needs TWINLINK_DATABASE_URL. SIGTERM stops it after the jobs under way, a second SIGTERM at
    once.
    """
    settings = load_settings()
    require_database(settings)
    if lifeline:
        end_with_parent()
    configure_logging(settings.log_level, settings.log_format)
    from workers.main import run  # noqa: PLC0415 - slow, and no other command needs it

    run(settings)
