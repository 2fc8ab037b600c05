"""Several connections on the same sites: one manager a link, and mirrors are never origins."""

import pytest

from app.core.config import Direction, Mode
from app.sync.guard import unpairings
from app.sync.twins import release
from tests.scenarios.look.trio import Trio
from tests.support.crash import killed


async def test_management_moves_to_the_heir(trio: Trio) -> None:
    """Two origins, one mirror: when the first goes, the second keeps it."""
    await trio.join("l", "m")
    await trio.join("r", "m")
    one = trio.link("l")
    await trio.world.settle()
    other = trio.link("r")
    await trio.world.settle()
    assert await trio.world.states() == ["managed", "preexisting"]
    trio.unlink("l", one)
    await trio.world.settle()
    assert trio.ours("m") == 1
    assert trio.removed() == 0
    assert await trio.world.states() == ["managed"]
    assert await trio.handed() == [("adopt", "webhook"), ("release", "webhook")]
    trio.unlink("r", other)
    await trio.world.settle()
    assert trio.ours("m") == 0


async def test_without_an_origin_the_heir_lets_go_too(trio: Trio) -> None:
    await trio.join("l", "m")
    await trio.join("r", "m")
    one, other = trio.link("l"), trio.link("r")
    await trio.world.settle()
    trio.unlink("l", one)
    trio.unlink("r", other)
    await trio.world.settle()
    assert trio.ours("m") == 0
    assert await trio.world.ledger() == []


async def test_an_heir_takes_what_waits_to_be_removed(trio: Trio) -> None:
    """It comes while the removal is held. No event and no comparison tells the one who holds it."""
    await trio.join("l", "m", mode=Mode.REVIEW)
    heir = await trio.join("r", "m")
    one = trio.link("l")
    await trio.world.settle()
    trio.unlink("l", one)
    await trio.world.settle()
    assert len(await trio.world.held()) == 1
    other = trio.link("r")
    await trio.world.settle()
    (row,) = await trio.world.ledger()
    assert (row["connection_id"], row["state"]) == (heir, "managed")
    assert await trio.handed() == [("adopt", "webhook"), ("release", "webhook")]
    assert trio.removed() == 0
    trio.unlink("r", other)
    await trio.world.settle()
    assert trio.ours("m") == 0


async def test_so_does_an_heir_that_was_out_of_scope(trio: Trio) -> None:
    await trio.join("l", "m", mode=Mode.REVIEW)
    heir = await trio.join("r", "m")
    one = trio.link("l")
    await trio.world.settle()
    trio.link("r")
    await trio.world.settle()
    end = trio.stations["r"].person("root")
    end.move(trio.key("r", 1), "X")
    await trio.world.settle()
    trio.unlink("l", one)
    await trio.world.settle()
    assert await trio.world.states() == ["managed", "suspended"]
    end.move("X-1", "P")
    await trio.world.settle()
    (row,) = await trio.world.ledger()
    assert (row["connection_id"], row["state"]) == (heir, "managed")
    assert trio.removed() == 0


@pytest.mark.parametrize("whole", [False, True], ids=["unpaired", "connection deleted"])
async def test_a_withdrawing_connection_leaves_its_mirror_to_the_heir(
    trio: Trio, *, whole: bool
) -> None:
    giving = await trio.join("l", "m")
    await trio.join("r", "m")
    trio.link("l")
    await trio.world.settle()
    other = trio.link("r")
    await trio.world.settle()
    ctx = trio.world.ctx
    now, engine = ctx.clock(), ctx.engine
    if whole:
        await release.delete_connection(ctx.database, giving, actor="ann", now=now, engine=engine)
    else:
        (pair,) = await trio.world.rows(
            f"SELECT min(id) AS id FROM twins WHERE connection_id = {giving}"  # noqa: S608
            " AND $1::bigint[] IS NOT NULL"
        )
        await unpairings.unpair(ctx, giving, pair["id"], actor="ann")
    await trio.world.settle()
    assert trio.ours("m") == 1
    assert trio.removed() == 0
    assert "managed" in await trio.world.states()
    trio.unlink("r", other)
    await trio.world.settle()
    assert trio.ours("m") == 0, "the heir manages it: without its origin the mirror goes"


async def test_a_mirror_is_not_mirrored_on(trio: Trio) -> None:
    await trio.join("l", "m")
    await trio.join("m", "r", Direction.BOTH)
    trio.link("l")
    await trio.world.settle()
    await trio.world.resync()
    await trio.world.settle()
    assert trio.ours("m") == 1
    assert trio.ours("r") == 0


async def test_nor_while_its_own_connection_does_not_know_it_yet(trio: Trio) -> None:
    """The POST acted and its worker died: until it is confirmed, the link has no ledger row."""
    await trio.join("l", "m")
    await trio.join("m", "r", Direction.BOTH)
    trio.link("l")
    await trio.world.deliver()
    async with killed(trio.stations["m"].jira, "POST", "^/issueLink$", acted=True):
        await trio.world.look()
    assert trio.ours("m") == 1
    await trio.world.settle()
    assert trio.ours("r") == 0


async def test_a_triangle_keeps_one_link_a_site(trio: Trio) -> None:
    for left, right in (("l", "m"), ("m", "r"), ("l", "r")):
        await trio.join(left, right, Direction.BOTH)
    made = trio.link("m")
    await trio.world.settle()
    assert [len(it.jira.links) for it in trio.stations.values()] == [1, 1, 1]
    trio.unlink("m", made)
    await trio.world.settle()
    await trio.world.resync()
    await trio.world.settle()
    assert [len(it.jira.links) for it in trio.stations.values()] == [0, 0, 0]
    assert await trio.world.ledger() == []


async def test_a_rejection_in_a_triangle_is_at_rest_after_one_comparison(trio: Trio) -> None:
    """What a person kept on r is a link that we made, so to l-r it is no origin, and l-r no heir of
    l-m's mirror: that one waits for a person of its own."""
    waiting = await trio.join("l", "m", Direction.BOTH, Mode.REVIEW)
    keeping = await trio.join("m", "r", Direction.BOTH, Mode.REVIEW)
    await trio.join("l", "r", Direction.BOTH)
    made = trio.link("m")
    await trio.world.settle()
    trio.unlink("m", made)
    await trio.world.settle()
    await trio.reject(keeping)
    await trio.world.resync()
    await trio.world.settle()
    before = await trio.world.ledger(), len(await trio.world.audit())
    assert {(it["connection_id"], it["state"]) for it in before[0]} == {
        (keeping, "detached"),
        (waiting, "managed"),
    }
    await trio.world.resync()
    await trio.world.settle()
    assert (await trio.world.ledger(), len(await trio.world.audit())) == before
    assert trio.removed() == 0
    assert [len(it.jira.links) for it in trio.stations.values()] == [1, 0, 1]


async def test_a_ring_of_one_way_connections_ends(trio: Trio) -> None:
    for left, right in (("l", "m"), ("m", "r"), ("r", "l")):
        await trio.join(left, right)
    made = trio.link("l")
    await trio.world.settle()
    assert [trio.ours(name) for name in "lmr"] == [0, 1, 0]
    trio.unlink("l", made)
    await trio.world.settle()
    assert [len(it.jira.links) for it in trio.stations.values()] == [0, 0, 0]


async def test_what_one_connection_manages_the_other_never_removes(trio: Trio) -> None:
    """To r the mirror on m is preexisting; its own origin going must not touch it."""
    await trio.join("l", "m")
    await trio.join("r", "m")
    trio.link("l")
    await trio.world.settle()
    other = trio.link("r")
    await trio.world.settle()
    trio.unlink("r", other)
    await trio.world.settle()
    assert trio.ours("m") == 1
    assert trio.removed() == 0


async def test_what_another_connection_removes_is_news(trio: Trio) -> None:
    """Its event is an echo to that one alone: ours still has a row for the link."""
    await trio.join("r", "l")
    origin = trio.link("r")
    await trio.world.settle()
    ours = await trio.join("l", "m", Direction.BOTH)
    beside = trio.link("m")
    await trio.world.settle()
    trio.unlink("m", beside)
    await trio.world.settle()
    assert [it["state"] for it in await trio.world.ledger(ours)] == ["detached"]
    trio.unlink("r", origin)
    await trio.world.settle()
    assert await trio.world.ledger(ours) == []
    trio.link("l")
    await trio.world.settle()
    assert trio.ours("m") == 1, "a link that is made anew has an origin again"
