"""Recorded decisions made again by other code: which of them differ, by rule."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from app.core.diff import decide
from app.core.ledger import LinkKey
from app.core.recorded import outcome
from app.core.recorded.inputs import Decide, Unreadable, decode

# Of each group of differences; more would say no more.
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded decision. `outcome` and `row` name it, `decision` is all of it as text."""

    id: int
    connection_id: int
    revision: int
    key: LinkKey
    engine: str
    outcome: str
    row: int
    decision: str
    version: int
    inputs: str


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """Rows of the decision table: the one that the recorded decision followed, and this code's. An
    outcome `error` has row 0: this code decides nothing here, it breaks."""

    row: int
    outcome: str
    row_now: int
    outcome_now: str

    @property
    def removes(self) -> bool:
        return self.outcome_now == "remove_mirror"

    @property
    def creates(self) -> bool:
        return self.outcome_now == "create_mirror"


@dataclass(frozen=True, slots=True)
class Example:
    id: int
    connection_id: int
    revision: int
    key: LinkKey
    engine: str


@dataclass(slots=True)
class Difference:
    count: int = 0
    examples: list[Example] = field(default_factory=list)

    def add(self, it: Recorded) -> None:
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(Example(it.id, it.connection_id, it.revision, it.key, it.engine))


@dataclass(slots=True)
class Evaluation:
    """`compared` counts the decisions that were made again, `unreadable` those whose inputs this
    code cannot read, by version of their format."""

    compared: int = 0
    unreadable: dict[int, int] = field(default_factory=dict)
    differences: dict[Rule, Difference] = field(default_factory=dict)

    @property
    def differ(self) -> int:
        return sum(it.count for it in self.differences.values())

    def add(self, records: Iterable[Recorded], by: Decide = decide) -> None:
        """Make these decisions again, *by* this code or another."""
        for it in records:
            inputs = decode(it.version, it.inputs)
            if isinstance(inputs, Unreadable):
                self.unreadable[it.version] = self.unreadable.get(it.version, 0) + 1
                continue
            self.compared += 1
            try:
                now = inputs.decision(by)
            except Exception:
                # A rule that breaks where one decided before differs; the others are still asked.
                rule = Rule(it.row, it.outcome, 0, "error")
            else:
                if outcome.text(now) == it.decision:
                    continue
                rule = Rule(it.row, it.outcome, outcome.row(now), outcome.word(now))
            self.differences.setdefault(rule, Difference()).add(it)
