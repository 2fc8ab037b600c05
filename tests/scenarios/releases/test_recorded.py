"""Looks leave what they decided from, within bounds, and never at a link's cost."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.core.ledger import LinkKey
from app.core.links import TypeId
from app.core.recorded import outcome
from app.core.recorded.inputs import VERSION, Inputs, decode
from app.core.recorded.sample import Sample
from app.store.upkeep import recorded_decisions
from app.sync.runtime.recording import Recording
from app.sync.upkeep import purge
from tests.scenarios.conftest import Build, Duo
from tests.support.breaking import BreakingDatabase, Plant


async def records(duo: Duo) -> list[Any]:
    return await duo.world.rows(
        """SELECT * FROM recorded_decisions WHERE connection_id = ANY($1::bigint[]) ORDER BY id"""
    )


async def test_each_change_leaves_its_inputs(duo: Duo) -> None:
    made = await duo.mirrored()
    duo.ann.unlink(made)
    await duo.world.settle()
    found = await records(duo)
    assert [it["outcome"] for it in found if it["outcome"] != "in_step"] == [
        "create_mirror",
        "remove_mirror",
    ]
    for it in found:
        inputs = decode(it["version"], it["inputs"])
        assert isinstance(inputs, Inputs)
        assert outcome.text(inputs.decision()) == it["decision"]
        assert it["engine"] == "twinlink/test"
        assert it["revision"] == 1


async def test_no_key_and_no_wording_is_recorded(duo: Duo) -> None:
    made = await duo.mirrored()
    duo.ann.unlink(made)
    await duo.world.settle()
    for it in await records(duo):
        assert "P-" not in it["inputs"] + it["decision"]
        assert "locks" not in it["inputs"] + it["decision"]


async def test_of_what_changes_nothing_a_sample_and_the_first_of_each_shape(build: Build) -> None:
    duo = await build(issues=12)
    duo.world.ctx = replace(duo.world.ctx, recording=Recording(Sample(0)))
    for number in range(1, 12):
        duo.bob.link(f"P-{number}", "Blocks", f"P-{number + 1}")
        duo.ann.link(f"P-{number}", "Blocks", f"P-{number + 1}")
    await duo.world.settle()
    for _ in range(2):
        await duo.world.resync()
        await duo.world.settle()
    nothing = [it for it in await records(duo) if it["outcome"] == "nothing"]
    assert len(nothing) == 1
    duo.world.ctx = replace(duo.world.ctx, recording=Recording(Sample(1)))
    await duo.world.resync()
    await duo.world.settle()
    nothing = [it for it in await records(duo) if it["outcome"] == "nothing"]
    assert len({it["source_twin"] for it in nothing}) == 11


async def test_a_day_has_a_bound_for_each_outcome_and_counts_the_rest(build: Build) -> None:
    duo = await build(issues=12)
    duo.world.ctx = replace(duo.world.ctx, recording=Recording(Sample(1), 3))
    made = [duo.ann.link(f"P-{number}", "Blocks", f"P-{number + 1}") for number in range(1, 9)]
    await duo.world.settle()
    duo.ann.unlink(made[0])
    await duo.world.settle()
    kept = [it["outcome"] for it in await records(duo)]
    assert kept.count("create_mirror") == 3
    assert kept.count("remove_mirror") == 1
    days = await duo.world.rows(
        "SELECT * FROM recorded_decision_days WHERE connection_id = ANY($1::bigint[])"
    )
    (creations,) = [it for it in days if it["outcome"] == "create_mirror"]
    assert (creations["seen"], creations["dropped"]) == (8, 5)
    async with duo.world.database.connection() as conn:
        assert await recorded_decisions.dropped(conn, duo.world.now()) >= 5


async def test_none_is_recorded_where_none_is_wanted(duo: Duo) -> None:
    before = len(await records(duo))
    duo.world.ctx = replace(duo.world.ctx, recording=Recording(Sample(1), 0))
    await duo.mirrored()
    assert len(await records(duo)) == before


async def test_it_is_recorded_after_the_write_and_the_end_of_the_look(
    duo: Duo, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    async def add(*args: Any, **more: Any) -> int:
        waiting = await duo.world.rows(
            """SELECT 1 FROM work WHERE connection_id = ANY($1::bigint[])
               AND lease_until IS NOT NULL"""
        )
        seen.append((len(duo.right.ours), len(waiting)))
        return 0

    monkeypatch.setattr(recorded_decisions, "add", add)
    await duo.mirrored()
    assert seen[0] == (1, 0)


async def test_a_record_that_cannot_be_written_costs_no_look(
    duo: Duo, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def add(*_: Any, **__: Any) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(recorded_decisions, "add", add)
    made = await duo.mirrored()
    duo.ann.unlink(made)
    await duo.world.settle()
    assert duo.right.jira.triples_of() == set()
    value = duo.world.ctx.metrics.registry.get_sample_value(
        "twinlink_decisions_recorded_total", {"outcome": "failed"}
    )
    assert value is not None
    assert value >= 2


async def test_a_look_records_by_one_statement(duo: Duo) -> None:
    """Counted against the same look that records nothing."""
    await duo.mirrored()
    plain = await _steps(duo, Recording(Sample(0), 0))
    assert await _steps(duo, Recording(Sample(1))) == plain + 2  # a connection, and the statement


async def _steps(duo: Duo, recording: Recording) -> int:
    plant, ctx = Plant(0), duo.world.ctx
    await duo.world.resync()
    database = BreakingDatabase(duo.world.database, plant)
    duo.world.ctx = replace(ctx, database=database, recording=recording)
    assert await duo.world.look() == len(duo.twins)
    duo.world.ctx = ctx
    return plant.seen


async def test_after_thirty_days_they_are_forgotten(duo: Duo) -> None:
    await duo.mirrored()
    old = {it["id"] for it in await records(duo)}
    assert old
    duo.world.clock.tick(timedelta(days=31).total_seconds())
    await duo.mirrored("P-2", to="P-4")
    await purge.run_once(duo.world.ctx)
    left = await records(duo)
    assert "create_mirror" in {it["outcome"] for it in left}
    assert old.isdisjoint(it["id"] for it in left)
    days = await duo.world.rows(
        "SELECT DISTINCT day FROM recorded_decision_days WHERE connection_id = ANY($1::bigint[])"
    )
    assert len(days) == 1


async def test_workers_side_by_side_keep_the_bound(duo: Duo) -> None:
    key = LinkKey(TypeId("1"), 1, 2)
    one = recorded_decisions.Decided(key, "remove_mirror", 7, "{}", VERSION, "{}")

    async def put() -> int:
        async with duo.world.database.connection() as conn:
            return await recorded_decisions.add(
                conn, duo.connection, 1, [one] * 3, engine="e", bound=10, now=duo.world.now()
            )

    assert sum(await asyncio.gather(*(put() for _ in range(8)))) == 10
    kept = [it for it in await records(duo) if it["outcome"] == "remove_mirror"]
    assert len(kept) == 10
