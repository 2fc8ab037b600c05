"""What Jira's rate-limit headers ask for, handed to the budget. Only what they name is paused.

==========================  =============================================
`RateLimit-Reason`        paused
==========================  =============================================
jira-burst-based            this endpoint and method
jira-per-issue-on-write     the issues of this call
jira-quota-*                the whole site (an hourly quota of the app)
none or unknown             Cloud: this endpoint and method;
                            Data Center: the whole site (one bucket per user)
==========================  =============================================

After it the endpoint's pace is lower for a while, unless only issues are paused. A 429
that does not say for how long (a gateway's, `Retry-After: 0`, a reset that is over) pauses
longer each time, with chance. A 5xx pauses only where it says for how long.

Source: docs/jira.md; undocumented reasons were seen, so unknown ones are expected.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.jira.http.access import SiteAccess
from app.jira.http.errors import retry_after
from app.jira.http.request import Call
from app.jira.http.response import Answer
from app.jira.rates.budget import Budget, Scope, endpoint_scope, issue_scope, site_scope

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 60.0
"""Seconds of a pause if Jira does not say how long."""


@dataclass(slots=True)
class _Unsaid:
    """429 answers in a row that do not say how long; those during one pause count once."""

    times: int = 0
    until: datetime | None = None


class Throttle:
    """Reads the answers of one site."""

    def __init__(self, budget: Budget, site: SiteAccess) -> None:
        self._budget = budget
        self._site = site
        self._unsaid: dict[tuple[str, str], _Unsaid] = {}

    async def heed(self, call: Call, answer: Answer, now: datetime, ago: float) -> float | None:
        """Pause after a refusal, slow down when Jira says that a limit is near. The call left so
        many seconds *ago*. Returns the seconds of the pause."""
        asked = retry_after(answer, now)
        if answer.status >= 500:
            if asked is not None:
                await self._pause(call, answer, asked)
            return asked
        if answer.status != 429:
            self._unsaid.pop((call.endpoint, call.method), None)
            if answer.limit_header("x-ratelimit-nearlimit").lower() == "true":
                await self._budget.slow(self._site.id, call.endpoint, call.method, ago=ago)
            return None
        seconds = self._chosen(call, now) if asked is None else asked
        scopes = await self._pause(call, answer, seconds)
        if not set(scopes) <= set(map(issue_scope, call.issues)):
            await self._budget.slow(
                self._site.id, call.endpoint, call.method, ago=ago, paused=seconds
            )
        return seconds

    async def _pause(self, call: Call, answer: Answer, seconds: float) -> tuple[Scope, ...]:
        scopes = paused_scopes(self._site, call, answer)
        for scope in scopes:
            await self._budget.pause(self._site.id, scope, seconds)
        return scopes

    def _chosen(self, call: Call, now: datetime) -> float:
        """Seconds that are left of the pause from an earlier answer, or of a longer one."""
        unsaid = self._unsaid.setdefault((call.endpoint, call.method), _Unsaid())
        if unsaid.until is not None and now < unsaid.until:
            return (unsaid.until - now).total_seconds()
        grown = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(unsaid.times, 16))
        seconds = grown * random.uniform(0.75, 1.25)  # noqa: S311 - not to come back together
        unsaid.times += 1
        unsaid.until = now + timedelta(seconds=seconds)
        return seconds


def paused_scopes(site: SiteAccess, call: Call, answer: Answer) -> tuple[Scope, ...]:
    """What a 429 pauses, by its `RateLimit-Reason`: see the table above."""
    reason = answer.limit_header("ratelimit-reason").lower()
    if reason.startswith("jira-quota"):
        return (site_scope(),)
    if reason == "jira-per-issue-on-write" and call.issues:
        return tuple(issue_scope(issue) for issue in call.issues)
    if site.deployment == "datacenter" and reason != "jira-burst-based":
        return (site_scope(),)
    return (endpoint_scope(call.endpoint, call.method),)
