"""What must hold, judged by the sites' own logs and contents; our tables only name the excuse.

At any moment: links that others made are exactly those that others left (by link id).
At rest: mirrors equal the origins in scope, and a second pass plans nothing.
"""

from app.core.chain import verify
from app.store import audit
from tests.simulation.rest import resting
from tests.support.engine import ACCOUNT, World


def untouched(world: World) -> None:
    """The incident's sentence: what we did not make is there unless somebody else took it."""
    for name, station in world.stations.items():
        theirs: set[int] = set()
        ours: set[int] = set()
        for entry in station.jira.mutations:
            mine = entry.actor == ACCOUNT and entry.cause != "issue_deleted"
            if entry.kind == "created":
                (ours if mine else theirs).add(entry.link_id)
            elif not mine:
                theirs.discard(entry.link_id)
                ours.discard(entry.link_id)
            else:
                assert entry.link_id not in theirs, f"{name}: touched {entry}"
                ours.discard(entry.link_id)
        assert station.jira.links.keys() == theirs | ours


async def audited(world: World) -> None:
    """Every write of our account has its intent and, at rest, its outcome; the chain holds."""
    rows = await world.audit()
    for station in world.stations.values():
        mine = [row for row in rows if row["site"] == station.access.name]
        for entry in station.jira.mutations.select(actor=ACCOUNT):
            operation = "create" if entry.kind == "created" else "remove"
            found = {
                row["status"]
                for row in mine
                if row["operation"] == operation
                and (row["source_id"], row["destination_id"]) == (entry.source, entry.destination)
                and (operation == "create" or row["link_id"] == entry.link_id)
            }
            assert "intended" in found, f"not in the audit: {entry}"
            assert operation == "create" or "applied" in found, f"no outcome: {entry}"
    async with world.database.transaction() as conn:
        for head in await audit.heads(conn):
            if int(head["chain"]) in world.connections:
                stored = [row async for row in audit.chain_rows(conn, int(head["chain"]))]
                assert verify(head["chain"], stored, head["seq"], head["hash"]) is None


async def mirrors_equal_origins(world: World) -> None:
    for connection in world.connections:
        rest = await resting(world, connection)
        assert rest is not None
        rest.check()


async def within_limits(world: World, limit: int) -> None:
    """No hour holds more removals of a connection than its limit, and none went without a slot."""
    reserved = await world.rows(
        """SELECT connection_id, created_at FROM intents
           WHERE operation = 'remove' AND state <> 'failed'
             AND connection_id = ANY($1::bigint[]) ORDER BY created_at"""
    )
    for connection in world.connections:
        at = [it["created_at"] for it in reserved if it["connection_id"] == connection]
        for last in at:
            assert sum(0 <= (last - it).total_seconds() < 3600 for it in at) <= limit
    stations = world.stations.values()
    removed = sum(len(it.jira.mutations.select("removed", ACCOUNT)) for it in stations)
    assert removed <= len(reserved)


async def picture(world: World) -> object:
    """All that a pass may change: rows, links, and how long the audit is."""
    rows = [
        {name: value for name, value in row.items() if not name.endswith("_at")}
        for row in await world.ledger()
    ]
    links = {name: sorted(it.jira.links) for name, it in world.stations.items()}
    return rows, links, len(await world.audit())
