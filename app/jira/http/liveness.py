"""Whether a call shows its site alive: an answer, or the error in its place, as the circuit takes
it."""

from app.core.errors import TwinlinkError
from app.jira.http.response import Answer
from app.jira.rates.circuit import Heard

_FAILURES = frozenset({"unreachable", "timeout", "dropped"})


def liveness(answer: Answer | None, error: TwinlinkError | None) -> Heard:
    """By the answer where there is one, else by the error in its place; neither shows nothing."""
    if answer is not None:
        return "failed" if answer.status >= 500 else "answered"
    return "failed" if error is not None and error.code in _FAILURES else "nothing"
