"""What we made is never an origin: the way back would end at a link that a person removed."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from app.core.config import ConnectionConfig, Direction
from app.core.links import Side
from app.store.config import active_connection, connections
from app.sync.guard import unpairings
from app.sync.twins import release
from tests.scenarios.conftest import Duo
from tests.scenarios.recovery.restoring import apply, ask, removed
from tests.support import mixed
from tests.support.crash import killed
from tests.support.engine import ACCOUNT

MIRROR = ("P-2", "Blocks", "P-3")


async def unpaired(duo: Duo) -> None:
    """By a person, through the API."""
    ctx = duo.world.ctx
    await unpairings.unpair(ctx, duo.connection, duo.twins["P-1"], actor="ann")


async def paired(duo: Duo) -> None:
    duo.twins["P-1"] = await duo.world.pair(duo.connection, ("left", "P-1"), ("right", "P-2"))


async def configured(duo: Duo, change: Callable[[ConnectionConfig], ConnectionConfig]) -> None:
    """A new revision, and a comparison of everything under it."""
    async with duo.world.database.transaction() as conn:
        state = await active_connection.lock(conn, duo.connection)
        assert state is not None
        await connections.append_revision(
            conn,
            duo.connection,
            change(state.config),
            author="ann",
            note="",
            now=duo.world.now(),
        )
    await duo.world.resync()
    await duo.world.settle()


def without_blocks(config: ConnectionConfig) -> ConnectionConfig:
    return replace(config, link_types=config.link_types[1:])


async def nothing_came_back(duo: Duo, *, mirrors: int = 1) -> None:
    """She removed her link and has none; ours is as it was, and is nothing that we would mirror."""
    for _ in range(2):
        await duo.world.resync()
        await duo.world.settle()
    assert duo.left.jira.triples_of() == set()
    assert duo.left.jira.mutations.select("created", ACCOUNT) == []
    assert duo.right.jira.triples_of() == ({MIRROR} if mirrors else set())


async def test_unpaired_she_removes_her_link_and_they_are_paired_again(duo: Duo) -> None:
    origin = await duo.mirrored()
    await unpaired(duo)
    duo.ann.unlink(origin)
    await duo.world.settle()
    await paired(duo)
    await nothing_came_back(duo)


async def test_a_restore_while_the_twins_are_unpaired(duo: Duo) -> None:
    await removed(duo)
    await unpaired(duo)
    await apply(duo.world, await ask(duo.world))
    await paired(duo)
    await nothing_came_back(duo)


async def test_a_restore_while_the_type_is_not_mapped(duo: Duo) -> None:
    await removed(duo)
    before = (await _config(duo)).link_types
    await configured(duo, without_blocks)
    await apply(duo.world, await ask(duo.world))
    await configured(duo, lambda config: replace(config, link_types=before))
    await nothing_came_back(duo)


async def test_a_restore_whose_outcome_a_confirmation_found_out(duo: Duo) -> None:
    """The process ended right after the POST: what it made is known to be ours all the same."""
    await removed(duo)
    await unpaired(duo)
    plan = await ask(duo.world)
    async with killed(duo.right.jira, "POST", "^/issueLink$", acted=True):
        await apply(duo.world, plan)
    await duo.world.settle()
    await paired(duo)
    await nothing_came_back(duo)


async def test_in_another_connection_of_the_same_sites(duo: Duo) -> None:
    """The first one is deleted; the second begins with an empty ledger."""
    origin = await duo.mirrored()
    ctx = duo.world.ctx
    await release.delete_connection(
        ctx.database, duo.connection, actor="ann", now=ctx.clock(), engine="x"
    )
    duo.ann.unlink(origin)
    await duo.world.settle()
    other = await duo.world.connect("left", "right", mixed.config(duo.left, duo.right))
    for one, to in (("P-1", "P-2"), ("P-2", "P-3")):
        await duo.world.pair(other, ("left", one), ("right", to))
    await nothing_came_back(duo)


async def test_where_the_listing_lags_and_only_the_event_names_it(duo: Duo) -> None:
    """A link that answers by its id and that no issue lists yet is judged like a listed one."""
    await removed(duo)
    await unpaired(duo)
    plan = await ask(duo.world)
    duo.right.jira.lag.links = 3600.0
    await apply(duo.world, plan)
    await paired(duo)
    await nothing_came_back(duo)


@pytest.mark.parametrize("direction", [Direction.BOTH, Direction.RIGHT_TO_LEFT])
async def test_with_her_link_there_both_are_preexisting(duo: Duo, direction: Direction) -> None:
    """Nobody removed anything: the pair is what it looks like, and neither side changes."""
    await duo.mirrored()
    await unpaired(duo)
    await configured(duo, lambda config: replace(config, direction=direction))
    await paired(duo)
    await duo.world.settle()
    expected = ["preexisting"] if direction is Direction.BOTH else []
    assert await duo.world.states() == expected
    assert duo.right.jira.triples_of() == {MIRROR}


async def test_a_person_who_makes_the_same_link_by_hand_has_an_origin(duo: Duo) -> None:
    """Ours is gone; the new link has an id that the audit does not name."""
    origin = await duo.mirrored()
    await unpaired(duo)
    duo.ann.unlink(origin)
    duo.right.person("root").unlink(duo.mirror)
    await duo.world.settle()
    await paired(duo)
    await duo.world.settle()
    duo.bob.link(*MIRROR)
    await duo.world.settle()
    assert duo.left.jira.triples_of() == {("P-1", "Blocks", "P-2")}
    [row] = await duo.world.ledger()
    assert (row["origin"], row["state"]) == (Side.RIGHT.value, "managed")


async def test_what_turned_out_to_be_a_persons_is_an_origin_again(duo: Duo) -> None:
    """We made a link of that id once. A Jira that went back in time has given it out again, and
    the changelog names a person."""
    made = duo.bob.link(*MIRROR)
    await duo.world.execute(
        """INSERT INTO made_links (site_id, link_id, type_id, source_id, destination_id, doubted)
           VALUES ($1, $2, $3, $4, $5, true)""",
        duo.right.id,
        made.id,
        made.type_id,
        made.source,
        made.destination,
    )
    await duo.world.settle()
    assert duo.left.jira.triples_of() == {("P-1", "Blocks", "P-2")}
    assert (
        await duo.world.rows("SELECT 1 FROM made_links WHERE doubted AND $1::bigint[] <> '{}'")
        == []
    )


async def test_what_is_doubted_and_ours_is_no_origin(duo: Duo) -> None:
    """Asked once, and believed from then on."""
    origin = await duo.mirrored()
    await unpaired(duo)
    duo.ann.unlink(origin)
    await duo.world.settle()
    await duo.world.execute("UPDATE made_links SET doubted = true WHERE site_id = $1", duo.right.id)
    await paired(duo)
    await nothing_came_back(duo)
    [row] = await duo.world.rows(
        "SELECT doubted FROM made_links WHERE site_id IN (SELECT right_site_id FROM connections"
        " WHERE id = ANY($1::bigint[]))"
    )
    assert not row["doubted"]


async def _config(duo: Duo) -> ConnectionConfig:
    async with duo.world.database.connection() as conn:
        state = await active_connection.load(conn, duo.connection)
    assert state is not None
    return state.config
