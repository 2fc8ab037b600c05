"""Leases, fences and generations of discoveries: what may end a row, and what may not."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.core.links import IssueId, Side
from app.store.links import discoveries
from app.store.links.discoveries import Discovery
from tests.sync.discovery.fields import FieldWorld, open_fields

ONE, TWO = IssueId("1"), IssueId("2")


@pytest.fixture
async def fields(db_url: str) -> AsyncIterator[FieldWorld]:
    async with open_fields(db_url) as made:
        yield made


async def put(fields: FieldWorld, *issues: IssueId) -> None:
    async with fields.world.database.transaction() as conn:
        await discoveries.raise_issues(
            conn, fields.connection, Side.LEFT, issues, cause="test", now=fields.world.now()
        )


async def claim(fields: FieldWorld, size: int = 10) -> list[Discovery]:
    async with fields.world.database.transaction() as conn:
        return await discoveries.claim(conn, now=fields.world.now(), size=size, lease=60)


async def end(fields: FieldWorld, claimed: list[Discovery]) -> int:
    async with fields.world.database.transaction() as conn:
        return await discoveries.end(conn, claimed)


async def standing(fields: FieldWorld, claimed: list[Discovery]) -> set[IssueId]:
    async with fields.world.database.transaction() as conn:
        return await discoveries.standing(conn, claimed)


async def test_a_claim_is_a_lease(fields: FieldWorld) -> None:
    await put(fields, ONE, TWO)
    assert [it.issue for it in await claim(fields, size=1)] == [ONE]
    assert [it.issue for it in await claim(fields)] == [TWO]
    assert await claim(fields) == []
    fields.let_pass(61)
    assert len(await claim(fields)) == 2, "a worker that died keeps nothing"


async def test_claims_of_two_workers_do_not_meet(fields: FieldWorld) -> None:
    await put(fields, ONE, TWO)
    async with fields.world.database.transaction() as conn:
        mine = await discoveries.claim(conn, now=fields.world.now(), size=1, lease=60)
        theirs = await claim(fields)
    assert {it.issue for it in mine} | {it.issue for it in theirs} == {ONE, TWO}
    assert len(mine) == len(theirs) == 1
    assert mine[0].fence != theirs[0].fence


async def test_an_event_keeps_the_row(fields: FieldWorld) -> None:
    await put(fields, ONE)
    claimed = await claim(fields)
    assert await standing(fields, claimed) == {ONE}
    await put(fields, ONE)
    assert await standing(fields, claimed) == set()
    assert await end(fields, claimed) == 0
    (again,) = await claim(fields)
    assert again.generation == claimed[0].generation + 1
    assert await end(fields, [again]) == 1


async def test_a_row_raised_anew_is_another_row(fields: FieldWorld) -> None:
    await put(fields, ONE)
    slow = await claim(fields)
    fields.let_pass(61)
    assert await end(fields, await claim(fields)) == 1
    await put(fields, ONE)
    assert slow[0].generation == (await fields.discoveries())[0]["generation"]

    assert await standing(fields, slow) == set()
    assert await end(fields, slow) == 0


async def test_a_claim_that_ran_out_ends_nothing(fields: FieldWorld) -> None:
    await put(fields, ONE)
    slow = await claim(fields)
    fields.let_pass(61)
    assert len(await claim(fields)) == 1
    assert await end(fields, slow) == 0


async def test_putting_off_counts_and_yields_to_events(fields: FieldWorld) -> None:
    await put(fields, ONE, TWO)
    claimed = await claim(fields)
    await put(fields, TWO)
    now = fields.world.now()
    async with fields.world.database.transaction() as conn:
        await discoveries.put_off(conn, claimed, now=now, seconds=[30.0] * 2)
    first, second = await fields.discoveries()
    assert (first["due_at"], first["tries"]) == (now + timedelta(seconds=30), 1)
    assert second["due_at"] < now
    assert second["tries"] == 0


async def test_nothing_is_asked_of_the_database_for_nothing(fields: FieldWorld) -> None:
    async with fields.world.database.transaction() as conn:
        assert await discoveries.end(conn, []) == 0
        await discoveries.put_off(conn, [], now=fields.world.now(), seconds=[])
    await put(fields)
    assert await fields.discoveries() == []


@pytest.mark.parametrize("column", ["paused_at", "deleted_at"])
async def test_resting_connections_are_not_claimed(fields: FieldWorld, column: str) -> None:
    await put(fields, ONE)
    await fields.world.execute(f"UPDATE connections SET {column} = now()")  # noqa: S608
    assert await claim(fields) == []
