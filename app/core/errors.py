"""The two kinds of failure that `sync` catches; `jira` and `store` translate into them.

`TransientError`: the same call may succeed later. `PermanentError`: it will not until
a person changes something. Both carry facts as fields; words are chosen at the edge.
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(eq=False)
class TwinlinkError(Exception):
    """Base of all expected failures. `code` is stable and listed in the API's documents."""

    code: str
    detail: str = ""
    facts: dict[str, str | int | float | None] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code


@dataclass(eq=False)
class TransientError(TwinlinkError):
    """Try again, not before `retry_after` seconds where that is given."""

    retry_after: float | None = None

    @property
    def asks_for_less(self) -> bool:
        """Whether the answer is at fault: too long in coming, cut off, or without a part. A read
        that asks for less may succeed."""
        return self.code in ("timeout", "bad_answer")


@dataclass(eq=False)
class ServerFailed(TransientError):
    """Jira answered a read with 5xx: it is failing, or cannot read one of the issues asked for."""


@dataclass(eq=False)
class PermanentError(TwinlinkError):
    """Repeating the call as it is cannot succeed."""


@dataclass(eq=False)
class NotThePinned(PermanentError):
    """Another Jira answers, or knows us as another account, than was pinned: nothing that it
    says is about ours."""


@dataclass(eq=False)
class NotSent(TransientError):
    """A write that certainly never reached Jira, or that Jira refused unseen (429)."""


@dataclass(eq=False)
class OutcomeUnknown(TransientError):
    """A write that may or may not have acted: time-out, dropped connection, 5xx.

    Never repeated blindly; confirmed by reading. `at` is our clock when it ended.
    """

    at: datetime | None = None


@dataclass(eq=False)
class Anonymous(PermanentError):
    """Jira answered as it answers anonymous callers. What it did not show proves nothing."""


@dataclass(eq=False)
class SiteLocked(PermanentError):
    """Jira wants a person to log in (a CAPTCHA). Each further call renews its lock, so none
    leaves until a person says that it may."""
