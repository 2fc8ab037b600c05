"""Errors that end a command."""

from collections.abc import Sequence

from app.process.exit_code import ExitCode


class CommandError(Exception):
    """Ends the command with `code`. Standard error shows the message, then a line per detail."""

    def __init__(
        self, message: str, *, details: Sequence[str] = (), code: ExitCode = ExitCode.FAILED
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)
        self.code = code

    def told(self) -> Sequence[str]:
        """The details, once a person is to read them."""
        return self.details


class UsageError(CommandError):
    """The arguments cannot work together, whatever the service would answer."""

    def __init__(self, message: str, *, details: Sequence[str] = ()) -> None:
        super().__init__(message, details=details, code=ExitCode.USAGE)
