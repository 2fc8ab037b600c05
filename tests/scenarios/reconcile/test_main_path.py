"""The main path, one story at a time: made, unmade, made again, on either side."""

import pytest

from app.core.chain import verify
from app.core.config import Direction, OnMirrorRemoved
from app.store.writes import audit
from tests.scenarios.conftest import TWINS, Build, Duo
from tests.support.engine import ACCOUNT


async def test_a_link_and_its_mirror_come_and_go(duo: Duo) -> None:
    made = await duo.mirrored()
    (row,) = await duo.world.ledger()
    assert (row["state"], row["authorship"], row["origin"]) == ("managed", "ours", "left")
    assert (row["left_link_id"], row["right_link_id"]) == (made.id, duo.mirror.id)
    duo.ann.unlink(made)
    await duo.world.settle()
    assert duo.right.jira.triples_of() == set()
    assert await duo.world.ledger() == []


@pytest.mark.parametrize("name", ["Blocks", "Relates"])
async def test_with_both_directions_either_side_leads(duo: Duo, name: str) -> None:
    duo.ann.link("P-1", name, "P-2")
    duo.bob.link("P-1", name, "P-2")
    await duo.world.settle()
    assert ("P-2", name, "P-3") in duo.right.jira.triples_of()
    back = ("P-3", name, "P-1") if name == "Blocks" else ("P-1", name, "P-3")
    assert back in duo.left.jira.triples_of()
    assert {row["origin"] for row in await duo.world.ledger()} == {"left", "right"}
    duo.bob.unlink("P-1", name, "P-2")
    await duo.world.settle()
    assert duo.left.jira.triples_of() == {("P-1", name, "P-2")}


@pytest.mark.parametrize("direction", [Direction.LEFT_TO_RIGHT, Direction.RIGHT_TO_LEFT])
async def test_the_side_that_does_not_lead_is_left_alone(
    build: Build, direction: Direction
) -> None:
    duo = await build(direction=direction)
    duo.ann.link("P-1", "Blocks", "P-2")
    duo.bob.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    leads = duo.left if direction is Direction.LEFT_TO_RIGHT else duo.right
    follows = duo.right if leads is duo.left else duo.left
    assert not leads.ours
    assert len(follows.ours) == 1
    assert len(await duo.world.ledger()) == 1


async def test_a_reversed_type_turns_its_links_round(build: Build) -> None:
    duo = await build(reversed_=True)
    duo.ann.link("P-1", "Blocks", "P-2")
    duo.bob.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    assert ("P-3", "Blocks", "P-2") in duo.right.jira.triples_of()
    assert ("P-1", "Blocks", "P-3") in duo.left.jira.triples_of()


async def test_types_that_are_not_mapped_and_issues_without_twins(duo: Duo) -> None:
    """P-5 has no twin; Tests is in no map."""
    duo.ann.link("P-1", "Tests", "P-2")
    duo.ann.link("P-1", "Blocks", "P-5")
    await duo.world.resync()
    await duo.world.settle()
    assert not duo.right.jira.links
    assert await duo.world.ledger() == []
    await duo.world.pair(duo.connection, ("left", "P-5"), ("right", "P-5"))
    await duo.world.settle()
    assert duo.right.jira.triples_of() == {(TWINS["P-1"], "Blocks", "P-5")}


async def test_an_origin_made_anew_keeps_its_mirror(duo: Duo) -> None:
    made = await duo.mirrored()
    mirror = duo.mirror.id
    duo.ann.unlink(made)
    again = duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    (row,) = await duo.world.ledger()
    assert (row["left_link_id"], row["right_link_id"]) == (again.id, mirror)
    assert duo.right.jira.mutations.select("removed") == []


async def test_a_mirror_that_a_person_removes_is_not_fought_over(duo: Duo) -> None:
    made = await duo.mirrored()
    duo.bob.unlink(duo.mirror)
    await duo.world.settle()
    await duo.world.resync()
    await duo.world.settle()
    assert not duo.right.jira.links
    assert await duo.world.states() == ["detached"]
    duo.bob.link("P-2", "Blocks", "P-3")
    await duo.world.settle()
    duo.ann.unlink(made)
    await duo.world.settle()
    assert duo.right.jira.triples_of() == {("P-2", "Blocks", "P-3")}, "that one is the person's"


async def test_or_made_again_where_the_connection_says_so(build: Build) -> None:
    duo = await build(on_mirror_removed=OnMirrorRemoved.RECREATE)
    made = await duo.mirrored()
    duo.bob.unlink(duo.mirror)
    await duo.world.settle()
    assert len(duo.right.ours) == 1
    duo.ann.unlink(made)
    await duo.world.settle()
    assert not duo.right.jira.links


async def test_a_mirror_that_a_person_made_anew_is_the_persons(duo: Duo) -> None:
    """Replaced between two looks: same type, ends and direction, another id."""
    made = await duo.mirrored()
    duo.bob.unlink(duo.mirror)
    replaced = duo.bob.link("P-2", "Blocks", "P-3")
    duo.ann.unlink(made)
    await duo.world.settle()
    assert set(duo.right.jira.links) == {replaced.id}


async def test_of_two_symmetric_links_only_ours_goes(duo: Duo) -> None:
    made = await duo.mirrored(name="Relates")
    back = duo.bob.link("P-3", "Relates", "P-2")
    await duo.world.settle()
    assert len(duo.left.jira.links) == 1, "the same link for a symmetric type"
    duo.ann.unlink(made)
    await duo.world.settle()
    assert set(duo.right.jira.links) == {back.id}


async def test_links_that_were_there_before_are_preexisting(build: Build) -> None:
    duo = await build()
    for station in (duo.left, duo.right):
        station.jira.webhooks.clear()
    one = duo.ann.link("P-1", "Blocks", "P-2")
    other = duo.bob.link("P-2", "Blocks", "P-3")
    await duo.world.resync()
    await duo.world.settle()
    assert await duo.world.states() == ["preexisting"]
    duo.ann.unlink(one)
    await duo.world.resync()
    await duo.world.settle()
    assert set(duo.right.jira.links) == {other.id}
    assert await duo.world.states() == ["detached"]


async def test_the_audit_tells_it_all_and_holds(duo: Duo) -> None:
    made = await duo.mirrored()
    mirror = duo.mirror.id
    duo.ann.unlink(made)
    await duo.world.settle()
    rows = await duo.world.audit()
    story = [(row["operation"], row["status"], row["link_id"]) for row in rows]
    assert story == [
        ("create", "intended", None),
        ("create", "applied", mirror),
        ("remove", "intended", mirror),
        ("remove", "applied", mirror),
    ]
    assert {row["cause_kind"] for row in rows} == {"webhook"}
    async with duo.world.database.transaction() as conn:
        stored = [row async for row in audit.chain_rows(conn, duo.connection)]
        head = next(it for it in await audit.heads(conn) if it["chain"] == str(duo.connection))
    assert verify(str(duo.connection), stored, head["seq"], head["hash"]) is None


async def test_an_echo_asks_jira_nothing(duo: Duo) -> None:
    """Our own POST comes back as two events without an actor."""
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.deliver()
    await duo.world.look()
    asked = [len(duo.left.jira.requests), len(duo.right.jira.requests)]
    assert await duo.world.deliver() == 1
    assert await duo.world.look() == 2
    assert [len(duo.left.jira.requests), len(duo.right.jira.requests)] == asked


async def test_a_second_pass_does_nothing(duo: Duo) -> None:
    await duo.mirrored()
    before = await duo.world.ledger()
    await duo.world.resync()
    await duo.world.settle()
    assert await duo.world.ledger() == before
    assert len(duo.right.jira.mutations.select(actor=ACCOUNT)) == 1
