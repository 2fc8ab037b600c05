"""Which connection takes over the management of a mirror."""

from dataclasses import dataclass

from app.core.connection.modes import Inherits, Operating, inherits
from app.core.ledger import Row
from app.core.links import PhysicalKey
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.links import managers
from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Heir:
    """A connection that records the mirror as preexisting in *row*, and whether it is able now."""

    taking: Running
    row: Row
    able: bool


async def first(conn: Connection, giving: Running, mirror: PhysicalKey) -> Heir | None:
    """The oldest connection that may take over now; else the oldest that may later; else None."""
    later: Heir | None = None
    for connection_id, row in await managers.heirs(conn, giving.id, mirror):
        taking = await active_connection.load(conn, connection_id)
        if taking is None:
            continue
        match inherits(_operating(giving), _operating(taking), row):
            case Inherits.ABLE:
                return Heir(taking, row, able=True)
            case Inherits.LATER:
                later = later or Heir(taking, row, able=False)
            case Inherits.NEVER:
                continue
    return later


def _operating(it: Running) -> Operating:
    return Operating(it.mode, it.paused, it.config)
