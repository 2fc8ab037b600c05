"""The part of JQL that synchronisers use: AND, OR, NOT, parentheses, comparisons, ORDER BY.

Dates are read in the caller's own time zone and to the minute, as Jira does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.sandbox.jql_values import instant, matches_value, missing_value
from app.sandbox.model import Issue, Refusal, User
from app.sandbox.site import JiraSite

TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<op>>=|<=|!=|!~|=|>|<|~)|(?P<mark>[(),])|(?P<word>[^\s"'=<>!~(),]+))""",
    re.VERBOSE,
)
ISSUE_FIELDS = frozenset({"id", "key", "issue", "issuekey"})
DATE_FIELDS = frozenset({"updated", "updateddate", "created", "createddate"})
PLAIN_FIELDS = frozenset({"issuetype", "type", "status", "summary", "priority", "labels"})
WORDS = frozenset({"and", "or", "not", "in", "is", "order"})


@dataclass(frozen=True, slots=True)
class Clause:
    """``field`` is lower case; ``op`` one of = != in, not in, >= > <= < ~ !~ is, is not."""

    field: str
    op: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """``word`` is and, or, not."""

    word: str
    parts: tuple[Condition, ...]


Condition = Clause | Group


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query; ``order`` holds (field, descending)."""

    where: Condition | None
    order: tuple[tuple[str, bool], ...]

    def run(self, site: JiraSite, user: User | None) -> list[Issue]:
        """All matching issues that this caller may see, ordered; archived ones never."""
        pool = _candidates(self.where, site)
        found = [
            issue
            for issue in (site.issues.values() if pool is None else pool)
            if self.matches(site, user, issue)
        ]
        for field, descending in reversed(self.order or (("id", True),)):
            found.sort(key=_sort_key(field), reverse=descending)
        return found

    def matches(
        self, site: JiraSite, user: User | None, issue: Issue, *, unrestricted: bool = False
    ) -> bool:
        """``unrestricted`` ignores permissions: webhook filters."""
        if issue.archived or not (unrestricted or site.can_browse(user, issue)):
            return False
        return self.where is None or _holds(self.where, site, user, issue)

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
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        self.at = 0
        end = len(text.rstrip())
        position = 0
        while position < end:
            found = TOKEN.match(text, position)
            if found is None or found.lastgroup is None:
                raise Refusal(400, f"Error in the JQL Query at position {position}.")
            value = found.group(found.lastgroup)
            if found.lastgroup == "quoted":
                value = re.sub(r"\\(.)", r"\1", value[1:-1])
            self.tokens.append((found.lastgroup, value))
            position = found.end()

    def query(self) -> Query:
        where = None if self._is("order") or self._done() else self._or()
        order: list[tuple[str, bool]] = []
        if self._take("order"):
            self._need("by")
            while True:
                field = self._next().lower()
                descending = self._take("desc")
                if not descending:
                    self._take("asc")
                order.append((field, descending))
                if not self._take(","):
                    break
        if not self._done():
            raise Refusal(400, f"Error in the JQL Query: unexpected '{self.tokens[self.at][1]}'.")
        return Query(where, tuple(order))

    def _or(self) -> Condition:
        parts = [self._and()]
        while self._take("or"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Group("or", tuple(parts))

    def _and(self) -> Condition:
        parts = [self._term()]
        while self._take("and"):
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else Group("and", tuple(parts))

    def _term(self) -> Condition:
        if self._take("not"):
            return Group("not", (self._term(),))
        if self._take("("):
            inner = self._or()
            self._need(")")
            return inner
        field = self._next().lower()
        if self._take("not"):
            self._need("in")
            return Clause(field, "not in", self._list())
        if self._take("in"):
            return Clause(field, "in", self._list())
        if self._take("is"):
            op = "is not" if self._take("not") else "is"
            if self._next().lower() not in ("empty", "null"):
                raise Refusal(400, "Error in the JQL Query: 'is' needs EMPTY.")
            return Clause(field, op, ())
        op = self._next()
        if op not in ("=", "!=", ">=", "<=", ">", "<", "~", "!~"):
            raise Refusal(400, f"Error in the JQL Query: Expecting operator but got '{op}'.")
        return Clause(field, op, (self._next(),))

    def _list(self) -> tuple[str, ...]:
        self._need("(")
        values = [self._next()]
        while self._take(","):
            values.append(self._next())
        self._need(")")
        return tuple(values)

    def _done(self) -> bool:
        return self.at >= len(self.tokens)

    def _is(self, word: str) -> bool:
        if self._done():
            return False
        kind, value = self.tokens[self.at]
        return kind != "quoted" and value.lower() == word

    def _take(self, word: str) -> bool:
        found = self._is(word)
        self.at += found
        return found

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise Refusal(400, f"Error in the JQL Query: Expecting '{word}'.")

    def _next(self) -> str:
        if self._done():
            raise Refusal(400, "Error in the JQL Query: unexpected end.")
        self.at += 1
        return self.tokens[self.at - 1][1]


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


def _holds(condition: Condition, site: JiraSite, user: User | None, issue: Issue) -> bool:
    if isinstance(condition, Clause):
        return _clause_holds(condition, site, user, issue)
    if condition.word == "and":
        return all(_holds(part, site, user, issue) for part in condition.parts)
    if condition.word == "or":
        return any(_holds(part, site, user, issue) for part in condition.parts)
    return not _holds(condition.parts[0], site, user, issue)


def _clause_holds(clause: Clause, site: JiraSite, user: User | None, issue: Issue) -> bool:
    field, op, values = clause.field, clause.op, clause.values
    if field in ISSUE_FIELDS:
        hit = any((found := site.find(value)) is not None and found.id == issue.id
                  for value in values)  # fmt: skip
        return hit if op in ("=", "in") else not hit
    if field == "project":
        hit = any((made := site.project(value)) is not None and made.id == issue.project
                  for value in values)  # fmt: skip
        return hit if op in ("=", "in") else not hit
    if field in DATE_FIELDS:
        lag = int(site.lag.search * 1000)
        moved = issue.indexed if lag and issue.updated + lag > site.now() else issue.updated
        at = moved if field.startswith("updated") else issue.created
        limit = instant(site, user, values[0])
        return {">=": at >= limit, ">": at > limit, "<=": at <= limit, "<": at < limit}.get(
            op, at == limit
        )
    return matches_value(site, issue, field, op, values)


def _sort_key(field: str) -> Callable[[Issue], Any]:
    if field.startswith("updated"):
        return lambda issue: issue.updated
    if field.startswith("created"):
        return lambda issue: issue.created
    if field in ("key", "issuekey", "issue"):
        return lambda issue: (issue.key.split("-")[0], int(issue.key.split("-")[1]))
    return lambda issue: issue.id
