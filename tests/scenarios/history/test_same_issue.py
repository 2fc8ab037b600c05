"""A Jira that was restored from a backup gives ids and keys out again: an issue is known by the
moment at which it was made."""

import pytest

from app.core.links import Side
from app.sandbox.backup import back_up, restore
from app.store.queue import work
from app.store.queue.work import Cause
from tests.scenarios.conftest import Duo
from tests.support.engine import Station

FLAVOURS = pytest.mark.parametrize("side", list(Side), ids=["cloud", "datacenter"])


def at(duo: Duo, side: Side) -> Station:
    return side.pick(duo.left, duo.right)


async def waiting(duo: Duo) -> set[str]:
    rows = await duo.world.rows(
        "SELECT waiting FROM work WHERE connection_id = ANY($1::bigint[]) AND waiting IS NOT NULL"
    )
    return {row["waiting"] for row in rows}


async def stranger(duo: Duo, side: Side) -> None:
    """P-6 of this side is paired, lost, and made again by someone else: the same id and key."""
    backups = {it: back_up(at(duo, it).jira) for it in Side}
    for each in Side:
        at(duo, each).person().create("P", "one of a pair")
    await duo.world.pair(duo.connection, ("left", "P-6"), ("right", "P-6"))
    await duo.world.settle()
    lost = at(duo, side).jira.issue("P-6")
    restore(at(duo, side).jira, backups[side])
    duo.world.clock.tick(3600)
    made = at(duo, side).person().create("P", "something else")
    assert (made.id, made.key) == (lost.id, lost.key)


@FLAVOURS
async def test_nothing_is_mirrored_onto_a_stranger_or_from_it(duo: Duo, side: Side) -> None:
    await stranger(duo, side)
    for each in Side:
        at(duo, each).person().link("P-4", "Blocks", "P-6")
    before = duo.left.jira.triples_of(), duo.right.jira.triples_of()
    await duo.world.settle()
    assert (duo.left.jira.triples_of(), duo.right.jira.triples_of()) == before
    assert await waiting(duo) == {"unknown:issue_replaced"}


@FLAVOURS
async def test_nor_where_only_the_other_end_is_looked_at(duo: Duo, side: Side) -> None:
    await stranger(duo, side)
    at(duo, side).person().link("P-4", "Blocks", "P-6")
    for each in Side:
        at(duo, each).jira.outbox.pop_due()
    async with duo.world.database.transaction() as conn:
        await work.raise_pairs(
            conn, duo.connection, [duo.twins["P-4"]], cause=Cause("twin"), now=duo.world.now()
        )
    await duo.world.settle()
    assert duo.left.ours == duo.right.ours == set()
    assert await waiting(duo) == {"unknown:issue_replaced"}


async def test_the_absence_of_its_links_proves_nothing(duo: Duo) -> None:
    """The mirror stays where its origin was lost with its issue."""
    backup = back_up(duo.left.jira)
    for each in Side:
        at(duo, each).person().create("P", "one of a pair")
    await duo.world.pair(duo.connection, ("left", "P-6"), ("right", "P-6"))
    await duo.world.settle()
    duo.ann.link("P-4", "Blocks", "P-6")
    await duo.world.settle()
    assert await duo.world.states() == ["managed"]
    restore(duo.left.jira, backup)
    duo.world.clock.tick(3600)
    duo.ann.create("P", "something else")
    await duo.world.resync()
    await duo.world.settle()
    assert len(duo.right.ours) == 1
    assert "unknown:issue_replaced" in await waiting(duo)


@FLAVOURS
async def test_an_issue_that_is_back_under_its_former_key_is_known(duo: Duo, side: Side) -> None:
    """It was moved, and the backup that is restored has it where it was."""
    origin = await duo.mirrored("P-1", "Blocks", "P-4")
    jira = at(duo, side).jira
    backup = back_up(jira)
    key = "P-1" if side is Side.LEFT else "P-2"
    at(duo, side).person("root").move(key, "X")
    await duo.world.settle()
    assert await duo.world.states() == ["suspended"]
    restore(jira, backup)
    await duo.world.resync()
    await duo.world.settle()
    assert await duo.world.states() == ["managed"]
    assert await waiting(duo) == set()
    duo.ann.unlink(origin)
    await duo.world.settle()
    assert duo.right.ours == set()
    assert await duo.world.states() == []
