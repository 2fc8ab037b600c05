"""What evaluating the recorded decisions says of a version: may it write?"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core.recorded.evaluation import Evaluation, Rule

_HARMLESS = frozenset({"nothing", "wait", "prove"})
"""Outcomes that change neither a link nor what is known of one."""


class Verdict(StrEnum):
    """`differs`: it writes nothing. `accepted`: a person has accepted its differences."""

    AGREES = "agrees"
    DIFFERS = "differs"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Count:
    """How many recorded decisions came out differently by one rule."""

    rule: Rule
    count: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A version as it was judged at its first start."""

    verdict: Verdict
    compared: int
    unreadable: int
    differences: tuple[Count, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the differences in their canonical form: what a person accepts."""
        form = [_form(it) for it in self.differences]
        return hashlib.sha256(json.dumps(form, separators=(",", ":")).encode()).hexdigest()

    @property
    def differ(self) -> int:
        return sum(it.count for it in self.differences)

    @property
    def removals(self) -> int:
        """Links that it would remove, and that the versions before it left."""
        return sum(it.count for it in self.differences if it.rule.removes)

    @property
    def creations(self) -> int:
        return sum(it.count for it in self.differences if it.rule.creates)


def judged(found: Evaluation) -> Judged:
    """A version that only waits or asks elsewhere than before agrees: nothing changes by it."""
    counts = tuple(
        Count(rule, one.count)
        for rule, one in sorted(found.differences.items(), key=lambda at: at[0])
    )
    differs = any(not _harmless(it.rule) for it in counts)
    return Judged(
        Verdict.DIFFERS if differs else Verdict.AGREES,
        found.compared,
        sum(found.unreadable.values()),
        counts,
    )


def told(counts: Sequence[Count]) -> str:
    """The differences in one line, the largest first."""
    largest = sorted(counts, key=lambda it: (not it.rule.removes, -it.count, it.rule))
    return "; ".join(
        f"{it.count} times {it.rule.outcome_now} (row {it.rule.row_now}) instead of"
        f" {it.rule.outcome} (row {it.rule.row})"
        for it in largest
    )


def _harmless(rule: Rule) -> bool:
    return {rule.outcome, rule.outcome_now} <= _HARMLESS


def _form(it: Count) -> list[str | int]:
    rule = it.rule
    return [rule.row, rule.outcome, rule.row_now, rule.outcome_now, it.count]
