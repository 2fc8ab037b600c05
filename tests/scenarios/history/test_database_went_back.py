"""A database that lost what we have made since: Jira's changelog still knows."""

from app.core.config import Direction
from app.core.incidents import Impact, IncidentKind
from app.sync.incidents.timeline import open_or_note
from tests.scenarios.conftest import Build
from tests.support.engine import ACCOUNT


async def test_a_mirror_that_the_database_forgot_is_no_origin(build: Build) -> None:
    """Else what a person removed would be made again from it, on her own side."""
    duo = await build(direction=Direction.BOTH)
    made = await duo.mirrored()
    await duo.world.execute("DELETE FROM ledger")
    await duo.world.execute("DELETE FROM intents")
    await duo.world.execute("DELETE FROM made_links")
    async with duo.world.database.transaction() as conn:
        await open_or_note(
            conn,
            IncidentKind.DATABASE_WENT_BACK,
            now=duo.world.now(),
            detail={"sign": "timeline", "connections": 1},
            impact=Impact.MAJOR,
        )
    duo.ann.unlink(made)
    await duo.world.settle()
    await duo.world.resync()
    await duo.world.settle()
    assert not duo.left.jira.links, "never made again against a person's will"
    assert not duo.left.jira.mutations.select("created", ACCOUNT)


async def test_what_a_person_makes_meanwhile_is_mirrored(build: Build) -> None:
    duo = await build(direction=Direction.BOTH)
    async with duo.world.database.transaction() as conn:
        await open_or_note(
            conn,
            IncidentKind.DATABASE_WENT_BACK,
            now=duo.world.now(),
            detail={"sign": "timeline", "connections": 1},
            impact=Impact.MAJOR,
        )
    await duo.mirrored()
    assert await duo.world.states() == ["managed"]
