"""Whether this process may write to Jira at all.

Granted until a check finds a reason against it: that the database belongs to another
installation, or has another schema, or that this version decides otherwise than those before it.
One per process, asked at each intent and by each client before each write.
"""

INSTALLATION = "installation"
SCHEMA = "schema"
ENGINE = "engine"


class Permit:
    """Each check, named by *by*, refuses and grants for itself; all have to grant."""

    def __init__(self) -> None:
        self._refused: dict[str, str] = {}

    @property
    def granted(self) -> bool:
        return not self._refused

    @property
    def refused_for(self) -> str | None:
        """The code of the reason; of several that of the schema, without which no other is sure."""
        return self._refused.get(SCHEMA) or next(iter(self._refused.values()), None)

    def refuse(self, reason: str, *, by: str = INSTALLATION) -> None:
        """*reason* is a stable word; it replaces an earlier one of the same check."""
        self._refused[by] = reason

    def grant(self, *, by: str = INSTALLATION) -> None:
        self._refused.pop(by, None)
