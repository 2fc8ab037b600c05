"""One request to Jira before it leaves: its content, its cost, its deadline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.core.links import IssueId


@dataclass(frozen=True, slots=True)
class Call:
    """`endpoint` is a word of ours with a bounded set of values: the label of metrics and the
    name of a rate budget. `issues` are the issues that a write counts against.

    `write` marks what may change Jira, so that a lost answer becomes *outcome unknown*;
    several reads are POSTs. A write does not leave after `send_before` (our clock).
    """

    endpoint: str
    method: str
    path: str
    body: object = field(default=None, repr=False)
    params: Mapping[str, str] | None = None
    write: bool = False
    issues: tuple[IssueId, ...] = ()
    bulk: bool = False
    send_before: datetime | None = None
