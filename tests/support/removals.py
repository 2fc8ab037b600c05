"""Links that an engine removed, of which only its audit is left: the ground of restores."""

from collections.abc import Sequence

import asyncpg

from app.core.links import IssueId
from app.core.operations import Operation, Status
from app.sandbox import JiraSite
from app.store.config import active_connection
from app.store.pool import Database, open_pool
from app.store.queue.work import Cause
from app.store.writes import audit
from app.store.writes.audit import Entry

Ends = tuple[int, int]


async def record_removals(
    url: str, connection: str, site: JiraSite, links: Sequence[Ends], *, engine: str = "bad/1"
) -> None:
    """Audit rows of so many managed `Blocks` links between issues of *site*, by the numbers of
    their keys, as *engine* would have written them. The chain holds."""
    pool = await open_pool(url, low=1, high=2)
    try:
        async with Database(pool).transaction() as conn:
            made = await conn.fetchval("SELECT id FROM connections WHERE name = $1", connection)
            state = await active_connection.lock(conn, made)
            assert state is not None
            entries = [_entry(site, ends, at, state.revision) for at, ends in enumerate(links, 1)]
            now = await conn.fetchval("SELECT now()")
            await audit.append(conn, made, state.name, entries, engine=engine, now=now)
    finally:
        await pool.close()


def _entry(site: JiraSite, ends: Ends, number: int, revision: int) -> Entry:
    kind = site.link_type("Blocks")
    (project,) = site.project_keys
    source, destination = (site.issue(f"{project}-{end}") for end in ends)
    return Entry(
        site=site.name,
        operation=Operation.REMOVE,
        status=Status.APPLIED,
        link_id=str(number),
        type_id=str(kind.id),
        type=kind.name,
        source_id=IssueId(str(source.id)),
        source_key=source.key,
        destination_id=IssueId(str(destination.id)),
        destination_key=destination.key,
        managed=True,
        cause=Cause("poll", "1"),
        revision=revision,
        intent_id=number,
    )


async def unsettled(url: str) -> int:
    """Open intents."""
    conn = await asyncpg.connect(url)
    try:
        found: int = await conn.fetchval("SELECT count(*) FROM intents WHERE state = 'open'")
        return found
    finally:
        await conn.close()
