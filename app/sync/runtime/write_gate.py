"""Whether this process may write to Jira at all.

Granted until a check finds a reason against it: that the database belongs to another
installation. One per process, asked at each intent and by each client before each write.
"""


class Permit:
    def __init__(self) -> None:
        self._refused_for: str | None = None

    @property
    def granted(self) -> bool:
        return self._refused_for is None

    @property
    def refused_for(self) -> str | None:
        """The code of the reason."""
        return self._refused_for

    def refuse(self, reason: str) -> None:
        self._refused_for = reason

    def grant(self) -> None:
        self._refused_for = None
