"""Rate budgets: what every worker may send to a site, and when.

Jira limits per endpoint and method and second, and writes per issue (jira-facts section 3).
`Budget.take` returns when one request may leave; it never refuses.
"""

from collections.abc import Sequence
from typing import NewType, Protocol

from app.core.links import IssueId

Scope = NewType("Scope", str)
"""What a pause covers: the site, one endpoint and method of it, or one issue."""


def site_scope() -> Scope:
    return Scope("site")


def endpoint_scope(endpoint: str, method: str) -> Scope:
    return Scope(f"endpoint:{endpoint}:{method}")


def issue_scope(issue: IssueId) -> Scope:
    return Scope(f"issue:{issue}")


class Budget(Protocol):
    """Shared turns. Every method is safe to cancel; a cancelled `take` wastes its turn."""

    async def take(
        self,
        site: int,
        endpoint: str,
        method: str,
        issues: Sequence[IssueId] = (),
        *,
        bulk: bool = False,
    ) -> float:
        """Wait for a turn; the seconds waited. ``issues`` are both ends of a write."""
        ...

    async def pause(self, site: int, scope: Scope, seconds: float) -> None:
        """Nobody sends within the scope for so long; a longer pause stays."""
        ...

    async def slow(self, site: int, endpoint: str, method: str) -> None:
        """Jira says that this limit is near: halve the rate for a while."""
        ...
