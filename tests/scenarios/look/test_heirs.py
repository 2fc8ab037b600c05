"""An heir of a mirror must be able to do what the one who gives it would: in each mode."""

from dataclasses import dataclass, replace

import pytest

from app.core.config import Direction, Mode
from app.store.config import connections
from app.sync.guard import unpairings
from app.sync.twins import release
from tests.scenarios.look.trio import Trio

ABLE = [Mode.REVIEW, Mode.LIVE]
NOT_YET = [Mode.CREATE_ONLY, None]
"""None: it is paused."""
OTHERS = [Mode.SHADOW, *NOT_YET]


@dataclass(slots=True)
class Estate:
    """l-m manages a mirror on m, which r-m records as preexisting beside its own origin on r."""

    trio: Trio
    giving: int
    taking: int
    origin: int
    other: int

    async def managers(self) -> list[int]:
        return [
            row["connection_id"]
            for row in await self.trio.world.ledger()
            if row["state"] == "managed"
        ]

    async def waiting(self) -> set[str]:
        rows = await self.trio.world.rows(
            """SELECT waiting FROM work WHERE connection_id = ANY($1::bigint[])
               AND waiting IS NOT NULL"""
        )
        return {str(row["waiting"]) for row in rows}

    async def unlink(self) -> None:
        self.trio.unlink("l", self.origin)
        await self.trio.world.settle()

    async def withdraw(self, *, whole: bool) -> None:
        ctx = self.trio.world.ctx
        if whole:
            await release.delete_connection(
                ctx.database, self.giving, actor="ann", now=ctx.clock(), engine=ctx.engine
            )
        else:
            rows = await self.trio.world.ledger(self.giving)
            twin = rows[0]["source_twin_id"]
            await unpairings.unpair(ctx, self.giving, twin, actor="ann")
        await self.trio.world.settle()


async def estate(trio: Trio, giving: Mode = Mode.LIVE, taking: Mode | None = Mode.LIVE) -> Estate:
    gives = await trio.join("l", "m", mode=giving)
    takes = await trio.join("r", "m", mode=taking or Mode.LIVE)
    origin = trio.link("l")
    await trio.world.settle()
    other = trio.link("r")
    await trio.world.settle()
    assert await trio.world.states() == ["managed", "preexisting"]
    if taking is None:
        await trio.operate(takes, None)
    return Estate(trio, gives, takes, origin, other)


@pytest.mark.parametrize("mode", ABLE)
async def test_an_able_heir_takes_over(trio: Trio, mode: Mode) -> None:
    it = await estate(trio, taking=mode)
    await it.unlink()
    assert await it.managers() == [it.taking]
    assert trio.removed() == 0


async def test_a_shadow_changes_nothing_for_others(trio: Trio) -> None:
    it = await estate(trio, taking=Mode.SHADOW)
    await it.unlink()
    assert trio.ours("m") == 0, "the manager removes its mirror as if the shadow were not there"
    assert await it.managers() == []
    assert await trio.handed() == []


@pytest.mark.parametrize("mode", NOT_YET)
async def test_the_mirror_stays_until_the_heir_is_able(trio: Trio, mode: Mode | None) -> None:
    it = await estate(trio, taking=mode)
    await it.unlink()
    assert trio.ours("m") == 1
    assert await it.managers() == [it.giving]
    assert await it.waiting() == {"heir"}, "and that is shown"
    if mode is None:
        await trio.switches.resume(await trio.name(it.taking), by="ann", now=trio.world.now())
    else:
        await trio.operate(it.taking, Mode.LIVE)
    await trio.world.settle()
    assert await it.managers() == [it.taking]
    assert await it.waiting() == set()
    assert trio.removed() == 0


async def test_without_the_heirs_origin_the_removal_goes_on(trio: Trio) -> None:
    it = await estate(trio, taking=Mode.CREATE_ONLY)
    await it.unlink()
    trio.unlink("r", it.other)
    await trio.world.settle()
    assert trio.ours("m") == 0
    assert await it.waiting() == set()


async def test_a_heir_in_create_only_is_able_where_the_giver_is_so_too(trio: Trio) -> None:
    it = await estate(trio, giving=Mode.CREATE_ONLY, taking=Mode.CREATE_ONLY)
    await it.withdraw(whole=True)
    assert await it.managers() == [it.taking]


@pytest.mark.parametrize("whole", [False, True], ids=["unpaired", "connection deleted"])
@pytest.mark.parametrize("mode", OTHERS)
async def test_what_no_connection_can_manage_stays_released(
    trio: Trio, mode: Mode | None, *, whole: bool
) -> None:
    it = await estate(trio, taking=mode)
    await it.withdraw(whole=whole)
    assert await it.managers() == []
    assert trio.removed() == 0
    released = await trio.world.rows(
        "SELECT id FROM ledger WHERE connection_id = ANY($1::bigint[]) AND state = 'released'"
    )
    assert len(released) == 1
    assert await trio.handed() == [("release", "twin")]


async def test_an_approved_removal_is_skipped_for_an_heir_that_is_not_ready(trio: Trio) -> None:
    gives = await trio.join("l", "m", mode=Mode.REVIEW)
    takes = await trio.join("r", "m")
    origin = trio.link("l")
    await trio.world.settle()
    trio.unlink("l", origin)
    await trio.world.settle()
    assert len(await trio.world.held()) == 1
    await trio.operate(takes, Mode.CREATE_ONLY)
    trio.link("r")
    await trio.world.settle()
    await trio.approve(gives)
    await trio.world.settle()
    assert trio.ours("m") == 1
    assert [it["result"] for it in await trio.world.held()] == ["skipped:heir_not_ready"]


async def test_a_shadow_takes_nothing_out_of_a_plan(trio: Trio) -> None:
    """It makes no one look again, and what is held stays held."""
    await trio.join("l", "m", mode=Mode.REVIEW)
    takes = await trio.join("r", "m", mode=Mode.SHADOW)
    origin = trio.link("l")
    await trio.world.settle()
    trio.unlink("l", origin)
    await trio.world.settle()
    before = await _generations(trio)
    trio.link("r")
    await trio.world.settle()
    after = await _generations(trio)
    assert {key: after[key] for key in before if key[0] != takes} == {
        key: before[key] for key in before if key[0] != takes
    }
    assert len(await trio.world.held()) == 1
    await trio.operate(takes, Mode.LIVE)
    await trio.world.settle()
    assert await trio.handed() == [("adopt", "twin"), ("release", "twin")]


@pytest.mark.parametrize("whole", [False, True], ids=["origin gone", "connection deleted"])
async def test_an_origin_that_leads_no_more_inherits_nothing(trio: Trio, *, whole: bool) -> None:
    it = await estate(trio)
    async with trio.world.database.transaction() as conn:
        row = await connections.by_id(conn, it.taking)
        assert row is not None
        await connections.append_revision(
            conn, row.id, replace(row.config, direction=Direction.RIGHT_TO_LEFT),
            author="ann", note="", now=trio.world.now(),
        )  # fmt: skip
    if whole:
        await it.withdraw(whole=True)
        assert trio.ours("m") == 1
    else:
        await it.unlink()
        assert trio.ours("m") == 0
    assert await it.managers() == []


async def _generations(trio: Trio) -> dict[tuple[int, int], int]:
    rows = await trio.world.rows(
        "SELECT connection_id, twin_id, generation FROM work"
        " WHERE connection_id = ANY($1::bigint[])"
    )
    return {(row["connection_id"], row["twin_id"]): row["generation"] for row in rows}


async def test_a_held_removal_ends_with_its_heir(trio: Trio) -> None:
    """Another connection manages the mirror by now: there is nothing left to decide."""
    await trio.join("l", "m", mode=Mode.REVIEW)
    await trio.join("r", "m")
    origin = trio.link("l")
    await trio.world.settle()
    trio.unlink("l", origin)
    await trio.world.settle()
    await trio.seal()
    trio.link("r")
    await trio.world.settle()
    assert ("adopt", "webhook") in await trio.handed()
    assert await _held(trio) == [("skipped:moved", "expired")]


@pytest.mark.parametrize("heir", [False, True], ids=["released", "with an heir"])
async def test_a_held_removal_ends_with_its_pair(trio: Trio, *, heir: bool) -> None:
    gives = await trio.join("l", "m", mode=Mode.REVIEW)
    takes = await trio.join("r", "m", mode=Mode.LIVE if heir else Mode.SHADOW)
    origin = trio.link("l")
    await trio.world.settle()
    await trio.operate(takes, Mode.CREATE_ONLY)
    trio.unlink("l", origin)
    await trio.world.settle()
    await trio.seal()
    if heir:
        trio.link("r")
        await trio.world.settle()
        await trio.operate(takes, Mode.LIVE)
    await Estate(trio, gives, takes, 0, 0).withdraw(whole=False)
    assert await _held(trio) == [("skipped:moved" if heir else "skipped:unpaired", "expired")]


async def test_what_gathers_leaves_its_plan_with_its_pair(trio: Trio) -> None:
    gives = await trio.join("l", "m", mode=Mode.REVIEW)
    origin = trio.link("l")
    await trio.world.settle()
    trio.unlink("l", origin)
    await trio.world.settle()
    assert [it for _, it in await _held(trio)] == ["gathering"]
    await Estate(trio, gives, 0, 0, 0).withdraw(whole=False)
    assert await _held(trio) == []
    await trio.seal()
    plans = await trio.world.rows("SELECT status FROM plans WHERE connection_id = ANY($1)")
    assert [it["status"] for it in plans] == ["expired"]


async def _held(trio: Trio) -> list[tuple[str | None, str]]:
    """The result of each change, and its plan's status."""
    return [(it["result"], it["status"]) for it in await trio.world.held()]
