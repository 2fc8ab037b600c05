"""The differences between Cloud and Data Center, behind one interface."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from app.core.authorship import NO_DATE
from app.core.errors import TransientError
from app.core.links import AccountId
from app.jira.changelog import Shape
from app.jira.http.response import Answer, JsonObject
from app.jira.payloads import Wanted

CHUNK = 100
"""Issues of one bulk call: the documented maximum of Cloud, kept for Data Center."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Raw issues of one or more answers. `failed` names ids that Jira said it could not
    deliver; what is in neither was left out silently. `at` is the earliest `Date`."""

    issues: list[object] = field(default_factory=list)
    failed: frozenset[str] = frozenset()
    at: datetime = NO_DATE

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the issues that have one: an answer may have any shape."""
        keys = (issue.get("key") for issue in self.issues if isinstance(issue, dict))
        return frozenset(key for key in keys if isinstance(key, str))

    def joined(self, other: "Batch") -> "Batch":
        """Both, with the earlier date."""
        # One answer without a date makes the whole undated: min() must return NO_DATE then.
        undated = NO_DATE in (self.at, other.at)
        return Batch(
            self.issues + other.issues,
            self.failed | other.failed,
            NO_DATE if undated else min(self.at, other.at),
        )


class Flavour(Protocol):
    """`api` is the path prefix; `shape` tells the parser how users and changelogs look."""

    api: str
    shape: Shape

    async def identity(self) -> str:
        """Which Jira this is, as text that stays the same across restarts and upgrades."""
        ...

    async def by_id(self, ids: Sequence[str], wanted: Wanted, *, bulk: bool) -> Batch:
        """At most `CHUNK` issues by id, in as few calls as the deployment allows."""
        ...

    async def by_key(self, keys: Sequence[str], wanted: Wanted) -> tuple[Batch, frozenset[str]]:
        """At most `CHUNK` issues by key, and the keys that need a single read: requested, not in
        the answer under that key, and possibly moved."""
        ...

    async def one(self, key: str, wanted: Wanted) -> Batch:
        """One issue by id or key, following moves; empty where Jira answers 404 or 403."""
        ...

    async def histories(self, issue: str) -> list[object] | None:
        """The whole changelog of one issue; None where the issue cannot be seen."""
        ...

    def pages(self, jql: str, wanted: Wanted) -> AsyncIterator[list[object]]:
        """All issues of a search, page by page."""
        ...

    def account(self, myself: JsonObject) -> AccountId | None:
        """The id of the user that `/myself` describes."""
        ...


def issues_of(page: JsonObject) -> list[object]:
    """The issues of a page, unparsed. Without a list it raises `TransientError` `bad_answer`."""
    issues = page.get("issues")
    if not isinstance(issues, list):
        raise TransientError("bad_answer", "no list of issues")
    return issues


def date_of(answer: Answer) -> datetime:
    """Jira's clock, or `NO_DATE`: nothing counts as read after that."""
    return answer.at or NO_DATE
