"""The root of the commands, which turns each expected error into a message and an exit code."""

import re
from typing import Any

import typer
from typer.core import TyperGroup

from app.cli.output import output
from app.cli.output.closest import did_you_mean
from app.cli.output.database_errors import said
from app.cli.output.errors import CommandError, UsageError
from app.core.errors import TwinlinkError
from app.process.exit_code import ExitCode
from app.settings import SettingsError

_OF_A_SITE = {
    "forbidden": "does not permit that to our account",
    "unauthorized": "refuses our credentials",
    "captcha_required": "asks our account for a CAPTCHA",
}
_ADMINISTER = "its webhooks are for an account with the Administer Jira permission there"
_NO_NUMBER = "Input should be a valid integer"
_CHOICE = re.compile(r"'([^']*)' is not one of (.*)\.")


class RootGroup(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            raise typer.BadParameter(
                _plainly(error.message), error.ctx, error.param, error.param_hint
            ) from None
        except CommandError as error:
            failure = error
        except SettingsError as error:
            details = [f"{problem.variable}: {problem.reason}" for problem in error.problems]
            failure = UsageError("the environment cannot be used", details=details)
        except TwinlinkError as error:
            failure = expected(error)
        except KeyboardInterrupt:
            failure = CommandError("interrupted")
        output.complain(failure)
        raise typer.Exit(int(ExitCode(failure.code)))


def expected(error: TwinlinkError) -> CommandError:
    """In words, with the site that failed a command which speaks to Jira itself."""
    if error.code.startswith("database_") and "host" in error.facts:
        return said(error.detail, error.facts).error()
    site = error.facts.get("site")
    if site is None:
        return CommandError(str(error))
    what = _OF_A_SITE.get(error.code, "gave no usable answer")
    webhooks = error.code == "forbidden" and error.facts.get("endpoint") == "webhooks"
    more = [_ADMINISTER] if webhooks else []
    details = [*more, f"twinlink site check {site}"]
    return CommandError(f"{site} {what} ({error.code})", details=details)


def _plainly(message: str) -> str:
    """In the words of this program; with what was meant, where a value is a letter or two off."""
    said = message.removeprefix("Value error, ")
    found = _CHOICE.fullmatch(said)
    if found is None:
        return "it must be a whole number" if said.startswith(_NO_NUMBER) else said
    meant = did_you_mean(found[1], re.findall(r"'([^']*)'", found[2]))
    return f"{said} {meant[0].upper()}{meant[1:]}" if meant else said
