"""How a use case says no: a stable code and, where a field is to blame, a pointer to it.

The words and the HTTP status belong to the edge (`api.problems`); a refusal changed nothing.
"""

from dataclasses import dataclass

from app.core.config import Problem
from app.core.errors import PermanentError, TransientError, TwinlinkError


@dataclass
class Refused(PermanentError):
    """`problems` name every field that is wrong, by JSON pointer into what was sent;
    `retry_after` is in seconds, where the same call is possible later."""

    problems: tuple[Problem, ...] = ()
    retry_after: float | None = None


def invalid(*problems: Problem) -> Refused:
    return Refused("validation", problems=problems)


def site_failed(error: TwinlinkError, **facts: str) -> TransientError:
    """For a face that waits for a site: it gave no usable answer, or it answered and refuses. Which
    site, *error* knows where a call failed."""
    code = "site_refuses" if isinstance(error, PermanentError) else "site_unavailable"
    known = {"site": error.facts.get("site"), **facts, "cause": error.code}
    return TransientError(code, facts=known)
