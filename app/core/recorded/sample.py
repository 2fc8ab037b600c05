"""Which of the decisions that change nothing are recorded."""

from dataclasses import dataclass
from zlib import crc32

from app.core.diff import Decision
from app.core.evidence import Absent, Observed, Present, Unknown, Unlisted
from app.core.ledger import LinkKey
from app.core.links import LinkId
from app.core.recorded import outcome
from app.core.recorded.inputs import Inputs


@dataclass(frozen=True, slots=True)
class Sample:
    """`one_in` 100: the decisions about one link of a hundred; 0: about none. By the link's key, so
    that it is the same links on every worker and every day."""

    one_in: int = 100

    def holds(self, connection_id: int, key: LinkKey) -> bool:
        if not self.one_in:
            return False
        name = f"{connection_id}/{key.left_type}/{key.source_twin}/{key.destination_twin}"
        return crc32(name.encode()) % self.one_in == 0


def shape(inputs: Inputs, decision: Decision) -> tuple[object, ...]:
    """What tells apart cases that a rule can tell apart, with no id in it: equal for all links of
    which the same is known and seen."""
    row = inputs.row
    known = (None, None) if row is None else (row.left_link, row.right_link)
    return (
        row and (row.state, row.origin, row.authorship),
        _form(inputs.left, known[0]),
        _form(inputs.right, known[1]),
        inputs.direction,
        inputs.on_mirror_removed,
        outcome.word(decision),
    )


def _form(seen: Observed, known: LinkId | None) -> tuple[object, ...]:
    match seen:
        case Present():
            return (
                "present",
                known in seen.ids,
                seen.known_gone,
                bool(seen.foreign),
                bool(seen.made),
                bool(seen.origins),
            )
        case Absent():
            return ("absent",)
        case Unknown(reason):
            return ("unknown", reason)
        case Unlisted():
            return ("unlisted",)
