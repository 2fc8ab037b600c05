"""What a call shows about its site: the circuit's view of an answer."""

from app.core.errors import TwinlinkError
from app.jira.http.response import Answer
from app.jira.rates.circuit import Heard

_FAILURES = frozenset({"unreachable", "timeout", "dropped"})


def heard_of(answer: Answer | None, error: TwinlinkError | None) -> Heard:
    """From the answer, or from the error in its place."""
    if answer is not None:
        return "failed" if answer.status >= 500 else "answered"
    return "failed" if error is not None and error.code in _FAILURES else "nothing"
