"""What a connection's mode lets it write, and which connection may take over a mirror.

A mirror whose connection withdraws may be kept by the origin of another connection that records
it as preexisting. Management moves only where that one could do all that the former manager
could:

==========  ============================================================================
`ABLE`      it could: management moves
`LATER`     it is paused, or its mode allows less: nothing moves, and the mirror stays
`NEVER`     it is in shadow, or no longer mirrors such a link: as if it were not there
==========  ============================================================================
"""

from dataclasses import dataclass
from enum import StrEnum

from app.core.config import ConnectionConfig, Mode
from app.core.ledger import Row
from app.core.links import Side
from app.core.operations import Operation, Write

_WRITES: tuple[Write, ...] = (Operation.CREATE, Operation.REMOVE)


def may_write(mode: Mode, operation: Write) -> bool:
    """Whether a mode lets this kind of write be proposed. `review` holds every removal."""
    match operation:
        case Operation.CREATE:
            return mode is not Mode.SHADOW
        case Operation.REMOVE:
            return mode in (Mode.REVIEW, Mode.LIVE)


class Inherits(StrEnum):
    ABLE = "able"
    LATER = "later"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Operating:
    """What decides whether a connection acts: its mode, its pause, its configuration."""

    mode: Mode
    paused: bool
    config: ConnectionConfig


def inherits(giving: Operating, taking: Operating, row: Row) -> Inherits:
    """Whether management of a mirror may move to the connection that has *row* for it."""
    if taking.mode is Mode.SHADOW or not _mirrors(taking.config, row):
        return Inherits.NEVER
    if taking.paused and not giving.paused:
        return Inherits.LATER
    lost = [it for it in _WRITES if may_write(giving.mode, it) and not may_write(taking.mode, it)]
    return Inherits.LATER if lost else Inherits.ABLE


def _mirrors(config: ConnectionConfig, row: Row) -> bool:
    """Whether the row's origin still leads, and its type is mapped as it was."""
    types = config.pair_of(Side.LEFT, row.key.left_type)
    mapped = types is not None and types.right.id == row.right_type
    return mapped and config.direction.allows_origin(row.origin)
