"""Jira's own rate limits, off unless a test turns them on.

Burst limits hold per endpoint and method and are shared by all callers; issue writes are counted
on every issue that a write touches, in two windows.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.sandbox.clock import Clock

PER_SECOND = {"GET": 100, "POST": 100, "PUT": 50, "DELETE": 50}
PER_ENDPOINT = {
    ("GET", "/issue/{issue}"): 150,
    ("GET", "/issue/{issue}/changelog"): 200,
}
ISSUE_WINDOWS = ((20, 2.0), (100, 30.0))


class Limited(Exception):
    """429: which limit, and in how many seconds a call may succeed again."""

    def __init__(self, reason: str, limit: int, wait: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.limit = limit
        self.wait = max(1, math.ceil(wait))


@dataclass(slots=True)
class RateLimits:
    """Sliding windows over the site's clock. `refused` counts 429 answers made here.

    `per_user` is a Data Center's: calls per second, all endpoints together.
    """

    clock: Clock
    enabled: bool = False
    per_second: Mapping[str, int] = field(default_factory=lambda: PER_SECOND)
    per_user: int | None = None
    refused: int = 0
    _bursts: dict[tuple[str, str], deque[float]] = field(default_factory=dict)
    _writes: dict[int, deque[float]] = field(default_factory=dict)

    def call(self, method: str, endpoint: str) -> bool:
        """Count one call; True when less than a fifth of the burst is left. Raises Limited."""
        if not self.enabled:
            return False
        limit = PER_ENDPOINT.get((method, endpoint), self.per_second.get(method, 100))
        if self.per_user is not None:
            method, endpoint, limit = "", "", self.per_user
        seen = self._bursts.setdefault((method, endpoint), deque())
        now = self.clock.now()
        _forget(seen, now - 1.0)
        if len(seen) >= limit:
            self.refused += 1
            raise Limited("jira-burst-based", limit, seen[0] + 1.0 - now)
        seen.append(now)
        return limit - len(seen) < limit * 0.2

    def write(self, issues: Iterable[int]) -> None:
        """Count one write on each of these issues, or raise Limited and count none."""
        if not self.enabled:
            return
        now = self.clock.now()
        logs = [self._writes.setdefault(issue, deque()) for issue in issues]
        for log in logs:
            _forget(log, now - ISSUE_WINDOWS[-1][1])
            for limit, seconds in ISSUE_WINDOWS:
                recent = [at for at in log if at > now - seconds]
                if len(recent) >= limit:
                    self.refused += 1
                    raise Limited("jira-per-issue-on-write", limit, recent[0] + seconds - now)
        for log in logs:
            log.append(now)


def _forget(log: deque[float], before: float) -> None:
    while log and log[0] <= before:
        log.popleft()
