"""A write that a look proposes."""

from dataclasses import dataclass, field

from app.core.ledger import LinkKey, Row
from app.core.links import PhysicalKey
from app.core.operations import Operation
from app.store.writes.intents import Wanted
from app.store.writes.plans import Planned


@dataclass(frozen=True, slots=True)
class Proposal:
    """With the row that it is based on and what was seen."""

    wanted: Wanted
    row: Row | None
    reason: str
    origin_physical: PhysicalKey | None = None
    evidence: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> LinkKey:
        return self.wanted.key

    @property
    def removes(self) -> bool:
        return self.wanted.operation is Operation.REMOVE

    @property
    def recreates(self) -> bool:
        """In place of a mirror that vanished by another account's hand (row 5)."""
        return not self.removes and self.row is not None

    @property
    def told(self) -> dict[str, str]:
        """The evidence with the reason, as the audit has it."""
        return {**self.evidence, "reason": self.reason}


def planned(it: Proposal, reason: str, **more: str) -> Planned:
    """The proposal as a plan shows it, with *more* evidence."""
    wanted = it.wanted
    return Planned(
        wanted.operation,
        wanted.site,
        wanted.type_id,
        wanted.source,
        wanted.destination,
        wanted.link_id,
        wanted.key,
        reason,
        {**it.evidence, **more},
    )
