"""Which decisions this process records (ADR 0028)."""

from dataclasses import dataclass, field
from datetime import date

from app.core.diff import Decision
from app.core.ledger import LinkKey
from app.core.recorded import outcome
from app.core.recorded.inputs import Inputs
from app.core.recorded.sample import Sample, shape

# Shapes of cases that are remembered; those beyond are recorded by the sample alone.
SHAPES = 20_000


@dataclass(slots=True)
class Recording:
    """Each decision that changes something; of the others a sample, and the first of each shape
    that this process sees in a day: a rare case is not left to chance. `bound`: of each outcome, a
    connection and day; 0 records nothing."""

    sample: Sample = field(default_factory=Sample)
    bound: int = 1000
    _day: date | None = None
    _shapes: set[tuple[object, ...]] = field(default_factory=set)

    def wants(
        self, connection_id: int, key: LinkKey, inputs: Inputs, decision: Decision, today: date
    ) -> bool:
        return (
            outcome.changes(inputs, decision)
            or self._is_first(connection_id, inputs, decision, today)
            or self.sample.holds(connection_id, key)
        )

    def _is_first(
        self, connection_id: int, inputs: Inputs, decision: Decision, today: date
    ) -> bool:
        if today != self._day:
            self._day = today
            self._shapes.clear()
        case = (connection_id, *shape(inputs, decision))
        if case in self._shapes or len(self._shapes) >= SHAPES:
            return False
        self._shapes.add(case)
        return True
