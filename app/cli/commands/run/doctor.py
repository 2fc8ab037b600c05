"""`twinlink doctor`: check the installation."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from app.cli.client.data_dir import client_settings
from app.cli.output import output
from app.cli.output.options import Json, counted
from app.process.exit_code import ExitCode

if TYPE_CHECKING:
    from app.cli.checks.installation import Check

_COLUMNS: output.Columns = (
    ("CHECK", "name"),
    ("STATUS", "status"),
    ("DETAIL", "detail"),
    ("HINT", "hint"),
)


def doctor(ctx: typer.Context, json: Json = False) -> None:
    """Check the settings, the database and its roles, clocks, Redis, the API and every site.

    Run it where the service runs, with the same environment. It ends with the command to type next.
    Exit code 1 if a check fails.
    """
    from app.cli.checks.installation import below  # noqa: PLC0415 - slow, and no other command needs them
    from app.cli.checks.service import above  # noqa: PLC0415

    settings = client_settings()
    checks = [*asyncio.run(below(settings)), *above(settings, ctx.obj)]
    if json:
        output.document({"checks": [asdict(check) for check in checks]})
    else:
        _print(checks)
    if any(check.status == "fail" for check in checks):
        raise typer.Exit(ExitCode.FAILED)


def _print(checks: "Sequence[Check]") -> None:
    """A line for each check on a terminal, with what to do below it; and the next command."""
    if output.is_read():
        for check in checks:
            output.line(f"{check.status:<4}  {check.name}: {check.detail}")
            if check.hint:
                output.line(f"      {check.hint}")
    else:
        output.table(_COLUMNS, map(asdict, checks), empty="")
    command = _next(checks)
    failed = sum(check.status == "fail" for check in checks)
    said = f"{counted(failed, 'check')} failed: see what is below each" if failed else "it is sound"
    output.note(f"next: {command}" if command else said)


def _next(checks: "Sequence[Check]") -> str:
    """Of the worst check that one command mends; of equally bad ones the first, on which others
    depend."""
    bad = sorted(checks, key=lambda check: ("fail", "warn", "ok").index(check.status))
    return next((check.command for check in bad if check.command), "")
