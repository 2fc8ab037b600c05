"""`twinlink doctor`: check the installation."""

import asyncio
from dataclasses import asdict

import typer

from app.cli.client.data_dir import client_settings
from app.cli.output import output
from app.cli.output.options import Json
from app.process.exit_code import ExitCode

_COLUMNS: output.Columns = (
    ("CHECK", "name"),
    ("STATUS", "status"),
    ("DETAIL", "detail"),
    ("HINT", "hint"),
)


def doctor(ctx: typer.Context, json: Json = False) -> None:
    """Check the settings, the database and its roles, clocks, Redis, the API and every site.

    Run it where the service runs, with the same environment. Exit code 1 if a check fails.
    """
    from app.cli.checks.installation import below  # noqa: PLC0415 - slow, and no other command needs them
    from app.cli.checks.service import above  # noqa: PLC0415

    settings = client_settings()
    checks = [*asyncio.run(below(settings)), *above(settings, ctx.obj)]
    if json:
        output.document({"checks": [asdict(check) for check in checks]})
    else:
        output.table(_COLUMNS, map(asdict, checks), empty="")
    if any(check.status == "fail" for check in checks):
        raise typer.Exit(ExitCode.FAILED)
