"""Declared misbehaviour of a site's REST interface, and of its webhook deliveries.

The first declared fault that matches a call and has times left acts on it. `hits` counts.
"""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

FaultKind = Literal[
    "rate_limited",  # 429; headers as `headers` says
    "error_before",  # `status` before anything happened
    "error_after",  # `status`, but the write is there
    "drop_before",  # connection closed, nothing happened
    "drop_after",  # connection closed, the write is there
    "late_commit",  # no answer for `seconds`; the write then happens unseen
    "html",  # 200 with a log-in or error page
    "altered",  # the right answer after `change`
    "truncated",  # the right answer, cut in half, with a matching Content-Length
    "huge",  # the right answer behind `size` bytes of white space
    "slow",  # the right answer after `seconds`
    "anonymous",  # answers as to an anonymous caller: 200, X-Seraph-LoginReason
    "unauthorized",  # 401 with X-Seraph-LoginReason
    "empty_changelog",  # the changelog endpoint answers that there are no entries at all
    "captcha",  # 403, HTML, X-Authentication-Denied-Reason: a person has to log in
    "denied",  # 200 as to an anonymous caller, X-Seraph-LoginReason: AUTHENTICATION_DENIED
    "issue_error",  # bulkfetch: `issues` (ids, or all) in issueErrors instead of issues
    "before",  # run `action` before the call is handled: races
    "after",  # run `action` after it was handled, before the answer leaves
]
DeliveryFaultKind = Literal["duplicate", "delay", "lose", "shuffle"]
RateHeaders = Literal[
    "full",
    "retry_after",  # and on every 5xx, of which 503 alone has it else
    "reset",  # a reset in whole minutes only: `retry_after` may lie in the past
    "beta",  # all of them, under the names of a trial period
    "none",
]


@dataclass(slots=True)
class Fault:
    """`path` is a regular expression searched in the path below `/rest/api/<n>`.

    `skip` matching calls pass first; then `times` calls are hit (None: all), each with
    `probability`. `account` narrows it to one user name.
    """

    kind: FaultKind
    method: str | None = None
    path: str = ""
    times: int | None = None
    probability: float = 1.0
    skip: int = 0
    account: str | None = None
    status: int = 503
    seconds: float = 30.0
    headers: RateHeaders = "full"
    retry_after: int = 1
    reason: str | None = "jira-burst-based"
    size: int = 8_000_000
    words: str = "upstream connect error"
    issues: frozenset[str] | None = None
    change: Callable[[bytes], bytes] | None = None
    action: Callable[[], Awaitable[object] | object] | None = None
    hits: int = 0


@dataclass(slots=True)
class FaultPlan:
    """The faults of one site; randomness is the site's."""

    random: random.Random
    plan: list[Fault] = field(default_factory=list)

    def add(self, *faults: Fault) -> Fault:
        """Declare; returns the last one, whose `hits` counts how often it acted."""
        self.plan.extend(faults)
        return faults[-1]

    def clear(self) -> None:
        self.plan.clear()

    def pick(self, method: str, path: str, account: str | None) -> Fault | None:
        """The fault for this call, if any; counts it."""
        for fault in self.plan:
            if fault.method is not None and fault.method != method:
                continue
            if fault.account is not None and fault.account != account:
                continue
            if fault.times is not None and fault.hits >= fault.times:
                continue
            if fault.path and re.search(fault.path, path) is None:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.probability < 1.0 and self.random.random() >= fault.probability:
                continue
            fault.hits += 1
            return fault
        return None


@dataclass(slots=True)
class DeliveryFault:
    """`event` is a regular expression over the event's name; all matching faults act.

    `duplicate` sends `copies` more, `delay` adds `seconds`, `shuffle` adds up to
    `seconds` at random, `lose` never sends. `fresh_identifier` gives duplicates their own
    delivery id, as two registered webhooks to one address would.
    """

    kind: DeliveryFaultKind
    event: str = ""
    times: int | None = None
    probability: float = 1.0
    seconds: float = 60.0
    copies: int = 1
    fresh_identifier: bool = False
    hits: int = 0


def acting(
    faults: Iterable[DeliveryFault], event: str, randomness: random.Random
) -> list[DeliveryFault]:
    """Those that act on this delivery; counts them."""
    found = []
    for fault in faults:
        if fault.times is not None and fault.hits >= fault.times:
            continue
        if fault.event and re.search(fault.event, event) is None:
            continue
        if fault.probability < 1.0 and randomness.random() >= fault.probability:
            continue
        fault.hits += 1
        found.append(fault)
    return found
