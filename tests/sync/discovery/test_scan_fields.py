"""A whole resync of a connection that pairs by field begins with the field."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.sandbox import Fault
from app.sync.resync import walk
from tests.sync.discovery.fields import FieldWorld, open_fields


@pytest.fixture(params=["cloud", "datacenter"])
async def fields(request: pytest.FixtureRequest, db_url: str) -> AsyncIterator[FieldWorld]:
    async with open_fields(db_url, request.param) as made:
        yield made


async def request_one(fields: FieldWorld, **wanted: Any) -> int:
    wanted = {"twin_ids": None, "dry_run": False} | wanted
    return await walk.request(
        fields.world.database,
        fields.connection,
        requested_by="test",
        now=fields.world.now(),
        **wanted,
    )


async def run(fields: FieldWorld) -> dict[str, Any]:
    """Walk and look until the resync is over."""
    for _ in range(100):
        walked = await walk.run_once(fields.world.ctx)
        if not (await fields.world.look() or walked):
            fields.let_pass(1)
        rows = await fields.world.rows(
            "SELECT * FROM resyncs WHERE connection_id = ANY($1::bigint[]) ORDER BY id DESC"
        )
        if rows[0]["finished_at"] is not None:
            return rows[0]
    raise AssertionError("the resync never ends")


def unheard(fields: FieldWorld) -> None:
    """What was done so far sends no webhook any more."""
    for station in (fields.left, fields.right):
        station.jira.outbox.pop_due()


async def test_it_pairs_what_no_webhook_told(fields: FieldWorld) -> None:
    fields.claim("P-1", "P-3")
    fields.claim("P-2", "P-4")
    fields.left.person().link("P-1", "Blocks", "P-2")
    unheard(fields)
    await request_one(fields)
    ended = await run(fields)

    assert await fields.pairs() == {"P-1": "P-3", "P-2": "P-4"}
    assert (ended["status"], ended["issues_total"], ended["issues_done"]) == ("succeeded", 2, 2)
    await fields.world.settle()
    assert fields.right.jira.triples_of() == {("P-3", "Blocks", "P-4")}


async def test_it_unpairs_what_no_webhook_told(fields: FieldWorld) -> None:
    fields.claim("P-1", "P-3")
    fields.claim("P-2", "P-4")
    await fields.discover()
    fields.claim("P-1", None)
    unheard(fields)
    await request_one(fields)
    ended = await run(fields)

    assert await fields.pairs() == {"P-2": "P-4"}
    assert ended["issues_total"] == 1


async def test_it_tries_claims_again_that_paired_nothing(fields: FieldWorld) -> None:
    fields.right.person().hide("P-3", "twinlink")
    fields.claim("P-1", "P-3")
    await fields.discover()
    assert await fields.claims() == {"P-1": "unknown_issue"}
    fields.right.person("ann").hide("P-3", "twinlink", hidden=False)
    await request_one(fields)
    await run(fields)

    assert await fields.pairs() == {"P-1": "P-3"}


async def test_it_looks_at_no_more_than_what_differs(fields: FieldWorld) -> None:
    fields.claim("P-1", "P-3")
    await fields.discover()
    fields.left.jira.requests.clear()
    await request_one(fields)
    await walk.run_once(fields.world.ctx)

    assert await fields.discoveries() == []
    assert fields.left.jira.requests.count() == 1, "one page of a search, and no issue read"


async def test_a_site_that_fails_puts_the_walk_off(fields: FieldWorld) -> None:
    fields.claim("P-1", "P-3")
    unheard(fields)
    fields.left.jira.faults.add(Fault("error_before", path="search", status=503, times=1))
    await request_one(fields)
    await walk.run_once(fields.world.ctx)
    assert await fields.pairs() == {}
    assert not await walk.run_once(fields.world.ctx), "not before its time"

    ended = await run(fields)
    assert ended["status"] == "succeeded"
    assert await fields.pairs() == {"P-1": "P-3"}


async def test_a_site_that_refuses_stops_no_walk(fields: FieldWorld) -> None:
    await fields.world.pair(fields.connection, ("left", "P-1"), ("right", "P-3"))
    fields.left.jira.faults.add(Fault("error_before", path="search/?", status=400, times=1))
    await request_one(fields)
    ended = await run(fields)

    assert (ended["status"], ended["issues_done"]) == ("succeeded", 1)


@pytest.mark.parametrize("wanted", [{"dry_run": True}, {"twin_ids": []}])
async def test_other_resyncs_ask_no_field(fields: FieldWorld, wanted: dict[str, Any]) -> None:
    fields.claim("P-1", "P-3")
    unheard(fields)
    await request_one(fields, **wanted)
    await run(fields)

    assert await fields.pairs() == {}
