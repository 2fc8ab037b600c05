"""The part of JQL that synchronisers use, read: AND, OR, NOT, parentheses, ORDER BY."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.sandbox.model import Refusal

TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<op>>=|<=|!=|!~|=|>|<|~)|(?P<mark>[(),])|(?P<word>[^\s"'=<>!~(),]+))""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Clause:
    """`field` is lower case; `op` one of = != in, not in, >= > <= < ~ !~ is, is not."""

    field: str
    op: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """`word` is and, or, not."""

    word: str
    parts: tuple[Condition, ...]


Condition = Clause | Group


class Parser:
    """Recursive descent over the tokens; Refusal(400) for what is not understood."""

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

    def query(self) -> tuple[Condition | None, tuple[tuple[str, bool], ...]]:
        """The condition, and (field, descending) of ORDER BY."""
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
        return where, tuple(order)

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
