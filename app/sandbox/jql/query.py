"""JQL evaluated over a site, through its indexes where a query allows.

Dates are read in the caller's own time zone and to the minute, as Jira does.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import lru_cache
from typing import Any

from app.sandbox.jql.syntax import Clause, Condition, Group, Parser
from app.sandbox.jql.values import instant, matches_value, missing_value
from app.sandbox.model import Issue, User
from app.sandbox.site import JiraSite

ISSUE_FIELDS = frozenset({"id", "key", "issue", "issuekey"})
DATE_FIELDS = frozenset({"updated", "updateddate", "created", "createddate"})
POSITIVE = frozenset({"=", "in"})
COMPARE = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query; `order` holds (field, descending)."""

    where: Condition | None
    order: tuple[tuple[str, bool], ...]

    def run(
        self, site: JiraSite, user: User | None, reconciled: frozenset[int] = frozenset()
    ) -> list[Issue]:
        """All matching issues that this caller may see, ordered; archived ones never.

        Search does not lag for `reconciled` ids.
        """
        pool = _candidates(self.where, site)
        reading = _Reading(site, user, reconciled)
        found = [
            issue
            for issue in (site.issues.values() if pool is None else pool)
            if (self.where is None or reading.holds(self.where, issue))
            and not issue.archived
            and site.can_browse(user, issue)
        ]
        for field, descending in reversed(self.order or (("id", True),)):
            found.sort(key=_sort_key(field), reverse=descending)
        return found

    def takes(self, site: JiraSite, issue: Issue) -> bool:
        """Whether a webhook filter lets this issue pass, without permission checks."""
        return self.where is None or _Reading(site, None).holds(self.where, issue)

    def missing(self, site: JiraSite, user: User | None) -> list[str]:
        """What Jira complains about: values that do not exist or that the caller cannot see."""
        return [
            text
            for clause in _clauses(self.where)
            for value in clause.values
            if (text := missing_value(site, user, clause.field, value)) is not None
        ]


@lru_cache(maxsize=256)
def parse(text: str) -> Query:
    """Raises Refusal(400) for what is not understood."""
    return Query(*Parser(text).query())


def _clauses(condition: Condition | None) -> list[Clause]:
    if condition is None:
        return []
    if isinstance(condition, Clause):
        return [condition]
    return [clause for part in condition.parts for clause in _clauses(part)]


def _candidates(condition: Condition | None, site: JiraSite) -> list[Issue] | None:
    """A superset of the matches through an index, or None: look at everything."""
    if isinstance(condition, Group):
        if condition.word != "and":
            return None
        pools = [_candidates(part, site) for part in condition.parts]
        return min((pool for pool in pools if pool is not None), key=len, default=None)
    if condition is None or condition.op not in ("=", "in"):
        return None
    if condition.field in ISSUE_FIELDS:
        named = {issue.id: issue for value in condition.values if (issue := site.find(value))}
        return list(named.values())
    if condition.field == "project":
        projects = [site.project(value) for value in condition.values]
        return [site.issues[number] for made in projects if made for number in made.issues]
    return None


@dataclass(slots=True)
class _Reading:
    """One evaluation: what a clause's values mean is looked up once, not per issue."""

    site: JiraSite
    user: User | None
    reconciled: frozenset[int] = frozenset()
    meanings: dict[int, frozenset[int]] = dataclass_field(default_factory=dict)

    def holds(self, condition: Condition, issue: Issue) -> bool:
        if isinstance(condition, Clause):
            return self._clause(condition, issue)
        if condition.word == "and":
            return all(self.holds(part, issue) for part in condition.parts)
        if condition.word == "or":
            return any(self.holds(part, issue) for part in condition.parts)
        return not self.holds(condition.parts[0], issue)

    def _clause(self, clause: Clause, issue: Issue) -> bool:
        field, op = clause.field, clause.op
        if field in ISSUE_FIELDS:
            return (issue.id in self._meaning(clause)) is (op in POSITIVE)
        if field == "project":
            return (issue.project in self._meaning(clause)) is (op in POSITIVE)
        if field not in DATE_FIELDS:
            return matches_value(self.site, issue, field, op, clause.values)
        at = self._updated(issue) if field.startswith("updated") else issue.created
        (limit,) = self._meaning(clause)
        return bool(COMPARE.get(op, operator.eq)(at, limit))

    def _meaning(self, clause: Clause) -> frozenset[int]:
        known = self.meanings.get(id(clause))
        if known is None:
            known = self.meanings[id(clause)] = frozenset(self._look_up(clause))
        return known

    def _look_up(self, clause: Clause) -> Iterator[int]:
        for value in clause.values:
            if clause.field in DATE_FIELDS:
                yield instant(self.site, self.user, value)
            elif clause.field == "project":
                project = self.site.project(value)
                yield -1 if project is None else project.id
            else:
                issue = self.site.find(value)
                yield -1 if issue is None else issue.id

    def _updated(self, issue: Issue) -> int:
        """As the search index believes: the last update that it has come to."""
        lag = int(self.site.lag.search * 1000)
        if not lag or issue.id in self.reconciled:
            return issue.updated
        indexed = self.site.now() - lag
        times = (issue.updated, *reversed(issue.earlier))
        return next((at for at in times if at <= indexed), 0)


def _sort_key(field: str) -> Callable[[Issue], Any]:
    if field.startswith("updated"):
        return lambda issue: issue.updated
    if field.startswith("created"):
        return lambda issue: issue.created
    if field in ("key", "issuekey", "issue"):
        return lambda issue: (issue.key.split("-")[0], int(issue.key.split("-")[1]))
    return lambda issue: issue.id
