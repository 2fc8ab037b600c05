"""Rows at rest: they keep their key as long as a link of theirs is there, and no longer."""

from dataclasses import replace

import pytest

from app.core.config import TypePair
from app.store.config import connections
from tests.scenarios.conftest import Duo
from tests.support.engine import ACCOUNT


async def remap(duo: Duo) -> None:
    """Blocks becomes Tests on the right."""
    async with duo.world.database.transaction() as conn:
        row = await connections.by_id(conn, duo.connection)
        assert row is not None
        types = (TypePair(duo.left.type("Blocks"), duo.right.type("Tests")),)
        config = replace(row.config, link_types=types)
        await connections.append_revision(
            conn, row.id, config, author="ann", note="", now=duo.world.now()
        )
    await duo.world.resync()
    await duo.world.settle()


async def test_a_type_that_is_mapped_to_another_one_gets_its_keys_back(duo: Duo) -> None:
    origin = await duo.mirrored()
    mirror = duo.mirror
    await remap(duo)
    assert await duo.world.states() == ["suspended"]
    duo.ann.unlink(origin)
    duo.bob.unlink(mirror)
    await duo.world.resync()
    await duo.world.settle()
    assert await duo.world.ledger() == []
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    assert duo.right.jira.triples_of() == {("P-2", "Tests", "P-3")}
    assert await duo.world.states() == ["managed"]


@pytest.mark.parametrize("side", ["left", "right"])
async def test_a_row_stays_while_one_of_its_links_is_there(duo: Duo, side: str) -> None:
    origin = await duo.mirrored()
    mirror = duo.mirror
    await remap(duo)
    if side == "left":
        duo.bob.unlink(mirror)
    else:
        duo.ann.unlink(origin)
    await duo.world.resync()
    await duo.world.settle()
    assert await duo.world.states() == ["suspended"]


async def test_a_row_stays_while_its_links_are_not_proven_gone(duo: Duo) -> None:
    origin = await duo.mirrored()
    mirror = duo.mirror
    await remap(duo)
    duo.ann.unlink(origin)
    duo.bob.unlink(mirror)
    hidden = duo.right.jira.issue("P-3")
    hidden.hidden_from = frozenset({ACCOUNT})
    await duo.world.resync()
    await duo.world.settle()
    assert await duo.world.states() == ["suspended"]
    hidden.hidden_from = frozenset()
    await duo.world.resync()
    await duo.world.settle()
    assert await duo.world.states() == []


async def test_a_pair_out_of_scope_forgets_what_is_gone(duo: Duo) -> None:
    """Its issues are read as long as they can be seen."""
    origin = await duo.mirrored()
    mirror = duo.mirror
    root = duo.left.person("root")
    moved = root.move("P-1", "X")
    await duo.world.settle()
    assert await duo.world.states() == ["suspended"]
    duo.ann.unlink(origin)
    duo.bob.unlink(mirror)
    await duo.world.settle()
    assert await duo.world.states() == []
    root.move(moved, "P")
    await duo.world.settle()
    assert await duo.world.states() == []
