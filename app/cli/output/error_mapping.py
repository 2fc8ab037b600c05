"""The root of the commands, which turns each expected error into a message and an exit code."""

from typing import Any

import typer
from typer.core import TyperGroup

from app.cli.output import output
from app.cli.output.database_errors import said
from app.cli.output.errors import CommandError, UsageError
from app.core.errors import TwinlinkError
from app.process.exit_code import ExitCode
from app.settings import SettingsError


class RootGroup(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CommandError as error:
            failure = error
        except SettingsError as error:
            details = [f"{problem.variable}: {problem.reason}" for problem in error.problems]
            failure = UsageError("the environment cannot be used", details=details)
        except TwinlinkError as error:
            failure = _expected(error)
        except KeyboardInterrupt:
            failure = CommandError("interrupted")
        output.complain(failure)
        raise typer.Exit(int(ExitCode(failure.code)))


def _expected(error: TwinlinkError) -> CommandError:
    if error.code.startswith("database_") and "host" in error.facts:
        return said(error.detail, error.facts).error()
    return CommandError(str(error))
