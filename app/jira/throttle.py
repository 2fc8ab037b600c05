"""What Jira's rate-limit headers ask for, handed to the budget. Only what they name is paused.

==========================  =============================================
``RateLimit-Reason``        paused
==========================  =============================================
jira-burst-based            this endpoint and method
jira-per-issue-on-write     the issues of this call
jira-quota-*                the whole site (an hourly quota of the app)
none or unknown             Cloud: this endpoint and method;
                            Data Center: the whole site (one bucket per user)
==========================  =============================================

Source: jira-facts section 3; undocumented reasons were seen, so unknown ones are expected.
"""

from datetime import datetime

from app.jira.access import SiteAccess
from app.jira.answers import Answer
from app.jira.budget import Budget, Scope, endpoint_scope, issue_scope, site_scope
from app.jira.calls import Call
from app.jira.errors import DEFAULT_RETRY_AFTER, retry_after


async def heed(
    budget: Budget | None, site: SiteAccess, call: Call, answer: Answer, now: datetime
) -> None:
    """Pause after a 429, slow down when Jira says that a limit is near."""
    if budget is None:
        return
    if answer.status == 429:
        asked = retry_after(answer, now)
        seconds = DEFAULT_RETRY_AFTER if asked is None else asked
        for scope in paused_scopes(site, call, answer):
            await budget.pause(site.id, scope, seconds)
    elif answer.headers.get("x-ratelimit-nearlimit", "").strip().lower() == "true":
        await budget.slow(site.id, call.endpoint, call.method)


def paused_scopes(site: SiteAccess, call: Call, answer: Answer) -> tuple[Scope, ...]:
    reason = answer.headers.get("ratelimit-reason", "").strip().lower()
    if reason.startswith("jira-quota"):
        return (site_scope(),)
    if reason == "jira-per-issue-on-write" and call.issues:
        return tuple(issue_scope(issue) for issue in call.issues)
    if site.deployment == "datacenter" and reason != "jira-burst-based":
        return (site_scope(),)
    return (endpoint_scope(call.endpoint, call.method),)
