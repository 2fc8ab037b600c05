"""A mirror that another connection manages gets or loses an heir: that connection looks again.

If the mirror's removal is held, or waits for the heir to be able, management moves or the removal
goes on; but only a look of the manager does that, and no other event need cause one.
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby

from app.core.config import Mode
from app.core.ledger import LinkKey
from app.core.links import Side
from app.store.links import managers
from app.store.pool import Connection
from app.store.queue.work import Cause, raise_pairs
from app.sync.look.snapshot import Look


async def tell_managers(
    conn: Connection, look: Look, mirrors: Iterable[tuple[LinkKey, Side]], now: datetime
) -> None:
    """Raise the pairs of those who manage these mirrors, which the look's connection has just come
    to record as preexisting, or records so no longer. A connection in shadow changes nothing for
    others, and so raises none.

    To be called last in that very transaction: a look of theirs that is under way may not see the
    heir, and is followed by another. Without their lock, which may come before ours; work is
    locked after all connections and in key order, as everywhere.
    """
    if look.running.mode is Mode.SHADOW:
        return
    causes = {look.physical(key, side): look.cause(key) for key, side in mirrors}
    if not causes:
        return
    managing = await managers.managed_keys(conn, list(causes))
    raised = {
        (manager, twin): causes[mirror]
        for mirror, (manager, row) in managing.items()
        if manager != look.running.id
        for twin in row.key.twins
    }
    for (manager, cause), run in groupby(sorted(raised.items()), lambda it: (it[0][0], it[1])):
        twins = [twin for (_, twin), _ in run]
        # Bulk: until they look the link stays as it is, and no person waits for it.
        await raise_pairs(conn, manager, twins, cause=cause, now=now, bulk=True)


async def raise_managers(conn: Connection, connection_id: int, cause: Cause, now: datetime) -> None:
    """Raise the pairs of those who manage a mirror that this connection records as preexisting: it
    has just become able to manage more than before. Called last in its transaction."""
    managing = await managers.managing_preexisting(conn, connection_id)
    for manager, run in groupby(managing, lambda it: it[0]):
        twins = [twin for _, twin in run]
        await raise_pairs(conn, manager, twins, cause=cause, now=now, bulk=True)
