"""How a command ends when it does not end well."""

from collections.abc import Sequence

from app.process.exit_code import ExitCode


class CommandError(Exception):
    """Ends the command with `code` and says why on standard error, `details` a line each."""

    def __init__(
        self, message: str, *, details: Sequence[str] = (), code: ExitCode = ExitCode.FAILED
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)
        self.code = code


class UsageError(CommandError):
    """Asked for in a way that cannot work, whatever the service says."""

    def __init__(self, message: str, *, details: Sequence[str] = ()) -> None:
        super().__init__(message, details=details, code=ExitCode.USAGE)
