"""An open circuit is written down once, is shown, and ends where all workers see it closed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.jira.rates.circuit import LocalCircuit, State, View
from app.sync.incidents import watch
from app.sync.runtime.context import Context
from app.sync.upkeep import circuits
from app.sync.upkeep.gauges import Gauges
from tests.sync.discovery.fields import FieldWorld, open_fields


@pytest.fixture
async def fields(db_url: str) -> AsyncIterator[FieldWorld]:
    async with open_fields(db_url) as made:
        yield made


class Seen(LocalCircuit):
    """A circuit that is seen as the test says."""

    def __init__(self, states: dict[int, State], *, certain: bool = True) -> None:
        super().__init__()
        self.states = states
        self.certain = certain

    async def view(self, site: int) -> View:
        return View(self.states.get(site, "closed"), self.certain)

    def troubled(self) -> set[int]:
        return set(self.states)


def worker(fields: FieldWorld, seen: Seen) -> Context:
    return replace(fields.world.worker(), circuit=seen)


async def since(fields: FieldWorld) -> Any:
    async with fields.world.database.connection() as conn:
        return await conn.fetchval(
            "SELECT circuit_open_since FROM sites WHERE id = $1", fields.left.id
        )


async def test_it_is_written_once_and_taken_back(fields: FieldWorld) -> None:
    seen = Seen({fields.left.id: "open"})
    found = await asyncio.gather(*(circuits.run_once(worker(fields, seen)) for _ in range(4)))
    assert found == [1] * 4
    began = await since(fields)
    assert began is not None
    fields.let_pass(60)
    seen.states[fields.left.id] = "half_open"
    ctx = worker(fields, seen)
    await circuits.run_once(ctx)
    assert await since(fields) == began, "a probe is no end"
    gauge = ctx.metrics.registry.get_sample_value
    shown = {"site": fields.left.access.name}
    await Gauges(ctx).run_once()
    assert gauge("twinlink_circuit_open", shown) == 1
    seen.states.clear()
    assert await circuits.run_once(ctx) == 0
    assert await since(fields) is None
    await Gauges(ctx).run_once()
    assert gauge("twinlink_circuit_open", shown) == 0


async def test_who_does_not_know_the_others_ends_nothing(fields: FieldWorld) -> None:
    alone = Seen({fields.left.id: "open"}, certain=False)
    await circuits.run_once(worker(fields, alone))
    assert await since(fields) is not None
    alone.states.clear()
    await circuits.run_once(worker(fields, alone))
    assert await since(fields) is not None


async def test_open_for_long_it_is_an_incident_and_a_ticket(fields: FieldWorld) -> None:
    seen = Seen({fields.left.id: "open"})
    ctx = worker(fields, seen)
    await circuits.run_once(ctx)
    fields.let_pass(timedelta(minutes=14).total_seconds())
    assert await watch.run_once(ctx) == 0
    fields.let_pass(90)
    assert await watch.run_once(ctx) == 1
    rows = await fields.world.rows(
        "SELECT kind, impact, site_id, state FROM incidents WHERE $1::bigint[] IS NOT NULL"
    )
    assert [(it["kind"], it["impact"], it["site_id"]) for it in rows] == [
        ("circuit_open", "major", fields.left.id)
    ]
    told = await fields.world.rows(
        "SELECT body, paging FROM notifications WHERE $1::bigint[] IS NOT NULL"
    )
    assert [it["paging"] for it in told] == [False]
    assert "calls to it are stopped since" in told[0]["body"]
    seen.states.clear()
    await circuits.run_once(ctx)
    await watch.run_once(ctx)
    rows = await fields.world.rows("SELECT state FROM incidents WHERE $1::bigint[] IS NOT NULL")
    assert [it["state"] for it in rows] == ["monitoring"]
