"""What must hold, judged by the sites' own logs and contents; our tables only name the excuse.

At any moment: links that others made are exactly those that others left (by link id).
At rest: mirrors equal the origins in scope, and a second pass plans nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from app.core.chain import verify
from app.store.writes import audit
from tests.simulation.rest import resting
from tests.support.engine import ACCOUNT, OUR_ACCOUNTS, World


def untouched(world: World) -> None:
    """The incident's sentence: a link that we did not make is there, unless another account removed
    it."""
    for name, station in world.stations.items():
        theirs: set[int] = set()
        ours: set[int] = set()
        for entry in station.jira.mutations:
            mine = entry.actor in OUR_ACCOUNTS and entry.cause != "issue_deleted"
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
        for entry in station.jira.mutations:
            if entry.actor not in OUR_ACCOUNTS:
                continue
            operation = "create" if entry.kind == "created" else "remove"
            ends = [(entry.source, entry.destination)]
            if station.jira.types[entry.type_id].symmetric:  # the ledger has its own order
                ends.append((entry.destination, entry.source))
            found = {
                row["status"]
                for row in mine
                if row["operation"] == operation
                and (row["source_id"], row["destination_id"]) in ends
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


async def within_limits(world: World, limit: int, resets: Mapping[int, list[datetime]]) -> None:
    """No hour since a reset holds more slots of a connection than its limit, and no removal went
    without a slot or a person's approval."""
    reserved = await world.rows(
        """SELECT connection_id, created_at AS at, guarded FROM intents
           WHERE operation = 'remove' AND state <> 'failed'
             AND connection_id = ANY($1::bigint[])"""
    )
    vanished = await world.rows(
        """SELECT connection_id, counted_at AS at, true AS guarded FROM vanished_mirrors
           WHERE counted_at IS NOT NULL AND connection_id = ANY($1::bigint[])"""
    )
    approved = {row["id"] for row in await world.rows(_APPROVED)}
    for connection in world.connections:
        slots = [it for it in reserved + vanished if it["connection_id"] == connection]
        at = sorted(it["at"] for it in slots if it["guarded"])
        for last in at:
            fresh = [it for it in resets.get(connection, []) if it <= last]
            begin = max([last - timedelta(hours=1), *fresh])
            assert sum(begin < it <= last for it in at) <= limit
    unguarded = await world.rows(
        """SELECT plan_id FROM intents WHERE operation = 'remove' AND NOT guarded
           AND connection_id = ANY($1::bigint[])"""
    )
    assert {it["plan_id"] for it in unguarded} <= approved
    stations = world.stations.values()
    removed = sum(len(it.jira.mutations.select("removed", ACCOUNT)) for it in stations)
    assert removed <= len(reserved)


_APPROVED = """SELECT id FROM plans WHERE connection_id = ANY($1::bigint[])
    AND status IN ('applying', 'applied') AND decided_by = 'ann'"""


async def picture(world: World) -> object:
    """All that a pass may change: rows, links, and how long the audit is."""
    rows = [
        {name: value for name, value in row.items() if not name.endswith("_at")}
        for row in await world.ledger()
    ]
    links = {name: sorted(it.jira.links) for name, it in world.stations.items()}
    return rows, links, len(await world.audit())
