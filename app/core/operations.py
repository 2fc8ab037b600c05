"""What is done to a link, and how far it has come: the words that the audit, intents and plans
store."""

from enum import StrEnum
from typing import Literal, TypeAlias, assert_never


class Operation(StrEnum):
    """`adopt` and `release` change whose link it is, and nothing in Jira."""

    CREATE = "create"
    REMOVE = "remove"
    ADOPT = "adopt"
    RELEASE = "release"


Write: TypeAlias = Literal[Operation.CREATE, Operation.REMOVE]
"""What changes Jira."""


def as_write(text: str) -> Write:
    """Raises `ValueError` for an operation that changes nothing in Jira."""
    operation = Operation(text)
    match operation:
        case Operation.CREATE | Operation.REMOVE:
            return operation
        case Operation.ADOPT | Operation.RELEASE:
            raise ValueError(text)
    assert_never(operation)


class Status(StrEnum):
    """Of an audit row: `intended` comes before the request, any other after it."""

    INTENDED = "intended"
    APPLIED = "applied"
    NOOP = "noop"
    FAILED = "failed"


Ended: TypeAlias = Literal[Status.APPLIED, Status.NOOP, Status.FAILED]
"""How a write ended: it took effect, there was nothing to do, or it did not take effect."""
