"""A project gets another key in Jira: its pairs go on being managed, and its id decides."""

from dataclasses import replace

import pytest

from app.core.links import ProjectKey, Side
from app.sandbox import issues
from app.store.config import connections, project_pins
from app.store.queue import work
from app.store.queue.work import Cause
from tests.scenarios.conftest import Duo
from tests.support import mixed
from tests.support.engine import Station

FLAVOURS = pytest.mark.parametrize("side", list(Side), ids=["cloud", "datacenter"])
FORMER = pytest.mark.parametrize("forgotten", [False, True], ids=["old keys lead there", "nowhere"])


def at(duo: Duo, side: Side) -> Station:
    return side.pick(duo.left, duo.right)


def rename(duo: Duo, side: Side, key: str = "Q", *, forgotten: bool = False) -> None:
    jira = at(duo, side).jira
    project = jira.projects[min(jira.projects)]
    issues.rename_project(jira, project, key, forgotten=forgotten)


async def suspended(duo: Duo) -> list[str]:
    rows = await duo.world.rows(
        "SELECT left_key FROM twins WHERE connection_id = ANY($1::bigint[])"
        " AND suspended IS NOT NULL"
    )
    return [row["left_key"] for row in rows]


async def keys(duo: Duo, side: Side) -> set[str]:
    rows = await duo.world.rows("SELECT * FROM twins WHERE connection_id = ANY($1::bigint[])")
    return {row[f"{side}_key"] for row in rows}


@FLAVOURS
@FORMER
async def test_pairs_go_on_being_managed(duo: Duo, side: Side, *, forgotten: bool) -> None:
    kept = await duo.mirrored("P-2", "Relates", "P-3")
    rename(duo, side, forgotten=forgotten)
    await duo.world.resync()
    await duo.world.settle()
    assert await suspended(duo) == []
    assert await keys(duo, side) == {"Q-1", "Q-2", "Q-3", "Q-4"}
    assert await duo.world.states() == ["managed"]
    here = "Q" if side is Side.LEFT else "P"
    made = duo.ann.link(f"{here}-1", "Blocks", f"{here}-4")
    await duo.world.settle()
    assert await duo.world.states() == ["managed", "managed"]
    duo.ann.unlink(made)
    await duo.world.settle()
    assert len(duo.right.ours) == 1, "made under the new keys, it goes with its origin"
    duo.ann.unlink(kept)
    await duo.world.settle()
    if forgotten and side is Side.RIGHT:
        # The changelog names the other end under a key that leads nowhere: two owners decide.
        assert [it["reason"] for it in await duo.world.held()] == ["authorship_unknown"]
    else:
        assert duo.right.ours == set()


@FLAVOURS
@FORMER
async def test_an_event_is_enough(duo: Duo, side: Side, *, forgotten: bool) -> None:
    """Neither a comparison nor another read of the project comes between."""
    await duo.mirrored("P-2", "Relates", "P-3")
    rename(duo, side, forgotten=forgotten)
    here = "Q" if side is Side.LEFT else "P"
    duo.ann.link(f"{here}-1", "Blocks", f"{here}-4")
    await duo.world.settle()
    assert await duo.world.states() == ["managed", "managed"]
    assert await suspended(duo) == []


@FLAVOURS
async def test_a_far_end_is_followed_when_its_proof_is_sought(duo: Duo, side: Side) -> None:
    """Only one end is looked at; the other one has its new key by the time that it is read."""
    origin = await duo.mirrored()
    rename(duo, side, forgotten=True)
    duo.ann.unlink(origin)
    duo.left.jira.outbox.pop_due()
    async with duo.world.database.transaction() as conn:
        await work.raise_pairs(
            conn, duo.connection, [duo.twins["P-1"]], cause=Cause("twin"), now=duo.world.now()
        )
    await duo.world.settle()
    if side is Side.LEFT:
        assert {"Q-1", "Q-2"} <= await keys(duo, side)
        assert duo.right.ours == set()
    else:
        # The proofs before the guard and before the DELETE come to the same, and it is at rest.
        assert [it["reason"] for it in await duo.world.held()] == ["authorship_unknown"]


async def test_the_id_decides_once_another_project_has_the_key(duo: Duo) -> None:
    await duo.mirrored()
    rename(duo, Side.LEFT, forgotten=True)
    duo.left.jira.add_project("P")
    duo.left.person("root").move("Q-3", "P")
    await duo.world.settle()
    await duo.world.resync()
    await duo.world.settle()
    assert len(await suspended(duo)) == 1, "in another project, whatever its key"
    assert await duo.world.states() == ["managed"]


async def test_a_key_that_is_added_again_means_the_project_that_has_it_then(duo: Duo) -> None:
    rename(duo, Side.LEFT, forgotten=True)
    other = duo.left.jira.add_project("P")
    database = duo.world.database
    async with database.transaction() as conn:
        row = await connections.by_id(conn, duo.connection)
        assert row is not None
        for projects in ((ProjectKey(mixed.ELSEWHERE),), (ProjectKey("P"),)):
            config = replace(row.config, left=replace(row.config.left, projects=projects))
            await connections.append_revision(
                conn, row.id, config, author="ann", note="", now=duo.world.now()
            )
    duo.left.person("root").move("Q-1", "P")
    await duo.world.settle()
    await duo.world.resync()
    await duo.world.settle()
    async with database.connection() as conn:
        (pin,) = (await project_pins.of_connection(conn, duo.connection))[Side.LEFT]
    assert (pin.id, pin.key) == (str(other.id), "P")
    assert len(await suspended(duo)) == 3
