"""One bulk edit of the twin field: no more links are let go than the guard allows, and undoing
the edit brings all of them back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from app.core.config import ConnectionConfig, GuardLimits, TwinSource, WindowLimits
from app.core.links import ProjectKey
from app.sandbox import Fault
from app.store.config import active_connection, connections
from app.store.guard import held_plans as stored
from app.sync.connections.view import view
from app.sync.discovery import discover
from app.sync.guard import held_plans, unpairings
from app.sync.reconcile.explain import explain
from tests.support.engine import ACCOUNT
from tests.sync.discovery.fields import FieldWorld, open_fields

LINKS, LIMIT = 7, 3
TIGHT = GuardLimits(WindowLimits(0.01, LIMIT, LIMIT), WindowLimits(0.05, LIMIT, LIMIT))
EDITED = range(1, 2 * LINKS - 1)
"""All issues but those of one link: a field that no issue of a project has is not believed."""


@asynccontextmanager
async def opened(db_url: str, guard: GuardLimits = TIGHT) -> AsyncIterator[FieldWorld]:
    """Pairs P-n = P-(n+1), and a managed link between P-1 and P-2, P-3 and P-4, and so on."""
    async with open_fields(db_url, issues=2 * LINKS, guard=guard) as made:
        claim_all(made, range(1, 2 * LINKS + 1))
        await made.discover()
        for number in range(LINKS):
            made.left.person().link(f"P-{2 * number + 1}", "Blocks", f"P-{2 * number + 2}")
        await made.world.settle()
        assert await made.world.states() == ["managed"] * LINKS
        yield made


@pytest.fixture
async def fields(db_url: str) -> AsyncIterator[FieldWorld]:
    async with opened(db_url) as made:
        yield made


def claim_all(fields: FieldWorld, numbers: range, by: int = 1) -> None:
    for number in numbers:
        fields.claim(f"P-{number}", f"P-{number + by}")


async def clear(fields: FieldWorld, numbers: range = EDITED) -> None:
    for number in numbers:
        fields.claim(f"P-{number}", None)
    await settle(fields)


async def undo(fields: FieldWorld, numbers: range = EDITED) -> None:
    claim_all(fields, numbers)
    await settle(fields)


async def settle(fields: FieldWorld) -> None:
    await fields.discover()
    await fields.world.settle()


def mirrors(rows: list[dict[str, Any]]) -> dict[int, int]:
    return {it["id"]: it["right_link_id"] for it in rows}


async def ended(fields: FieldWorld) -> int:
    """Links of pairs that are no pairs any more."""
    paired = {it["id"] for it in await fields.twins()}
    rows = await fields.world.rows("SELECT * FROM ledger WHERE connection_id = ANY($1::bigint[])")
    return sum({it["source_twin_id"], it["destination_twin_id"]} - paired != set() for it in rows)


async def waiting(fields: FieldWorld) -> list[dict[str, Any]]:
    return await fields.world.rows(
        """SELECT x.*, p.status FROM plan_changes x JOIN plans p ON p.id = x.plan_id
           WHERE p.connection_id = ANY($1::bigint[]) AND p.kind = 'unpairings'
             AND p.status IN ('gathering', 'held') AND x.result IS NULL"""
    )


async def incidents(fields: FieldWorld) -> list[str]:
    rows = await fields.world.rows(
        "SELECT kind FROM incidents WHERE connection_id = ANY($1::bigint[])"
    )
    return [it["kind"] for it in rows]


async def decide(fields: FieldWorld, what: str) -> None:
    fields.let_pass(60)
    await held_plans.run_once(fields.world.ctx)
    for plan in await fields.world.rows(
        "SELECT id FROM plans WHERE connection_id = ANY($1::bigint[]) AND status = 'held'"
    ):
        async with fields.world.database.connection() as conn:
            digest = (await stored.value(conn, plan["id"])).digest
        call = held_plans.approve if what == "approve" else held_plans.reject
        await call(
            fields.world.database, plan["id"], digest, by="ann", note="", now=fields.world.now()
        )
    for _ in range(3):
        await held_plans.run_once(fields.world.ctx)
    await settle(fields)


async def statuses(fields: FieldWorld) -> list[str]:
    rows = await fields.world.rows(
        """SELECT status FROM plans WHERE connection_id = ANY($1::bigint[])
           AND kind = 'unpairings' ORDER BY id"""
    )
    return [it["status"] for it in rows]


def untouched(fields: FieldWorld) -> None:
    """No link was removed, whatever was let go."""
    assert not fields.right.jira.mutations.select("removed", ACCOUNT)
    assert len(fields.right.ours) == LINKS


async def test_a_bulk_edit_undone_leaves_everything_as_it_was(fields: FieldWorld) -> None:
    before, made = await fields.world.ledger(), fields.right.jira.mutations.select("created")
    await clear(fields)
    await undo(fields)

    after = await fields.world.ledger()
    assert [it["state"] for it in after] == ["managed"] * LINKS
    assert mirrors(after) == mirrors(before)
    assert fields.right.jira.mutations.select("created") == made, "nothing is made again"
    assert len(await fields.pairs()) == 2 * LINKS
    assert await waiting(fields) == []
    untouched(fields)


async def test_no_more_are_let_go_than_the_limit(fields: FieldWorld) -> None:
    await clear(fields)

    assert await ended(fields) <= LIMIT
    assert not [it for it in await fields.world.audit() if it["operation"] == "release"]
    assert await fields.world.states() == ["suspended"] * (LINKS - 1) + ["managed"]
    assert len(await waiting(fields)) == LINKS - 1 - LIMIT
    assert "unpairings_held" in await incidents(fields)
    untouched(fields)


async def test_what_was_removed_meanwhile_goes_when_the_pairs_are_back(fields: FieldWorld) -> None:
    await clear(fields)
    fields.left.person().unlink("P-1", "Blocks", "P-2")
    await settle(fields)
    untouched(fields)
    await undo(fields)

    assert await fields.world.states() == ["managed"] * (LINKS - 1)
    assert len(fields.right.ours) == LINKS - 1


async def test_an_approval_releases_what_was_held(fields: FieldWorld) -> None:
    await clear(fields)
    await decide(fields, "approve")

    assert await statuses(fields) == ["applied"]
    released = [it for it in await fields.world.audit() if it["operation"] == "release"]
    assert len(released) == LINKS - 1 - LIMIT
    assert {it["plan_id"] is None for it in released} == {False}
    assert len(await fields.pairs()) == 2
    untouched(fields)


async def test_a_rejection_keeps_the_pairs_whatever_the_field_says(fields: FieldWorld) -> None:
    await clear(fields)
    held = len(await waiting(fields))
    await decide(fields, "reject")
    await fields.poll()
    await settle(fields)

    assert await statuses(fields) == ["rejected"]
    assert (await fields.world.states()).count("managed") == held + 1
    assert {it["suspended"] for it in await fields.twins()} == {None}
    untouched(fields)


async def test_a_rejection_opens_no_room(fields: FieldWorld) -> None:
    await clear(fields, range(1, 9))
    await decide(fields, "reject")
    await clear(fields, range(9, 2 * LINKS - 1))

    assert await ended(fields) <= LIMIT
    assert len(await waiting(fields)) == 2


async def test_two_workers_share_the_windows(fields: FieldWorld) -> None:
    """One has read its half when the other lets go of the other half."""
    other = fields.world.worker()

    async def meanwhile() -> None:
        for number in list(EDITED)[1::2]:
            fields.claim(f"P-{number}", None)
        await fields.world.deliver()
        assert await discover.run_once(other) == len(EDITED) // 2

    fields.left.jira.faults.add(Fault("after", path="bulkfetch", times=1, action=meanwhile))
    for number in list(EDITED)[::2]:
        fields.claim(f"P-{number}", None)
    await settle(fields)

    assert await ended(fields) <= LIMIT
    await undo(fields)
    assert await fields.world.states() == ["managed"] * LINKS
    untouched(fields)


async def test_what_does_not_come_back_is_released_in_the_end(fields: FieldWorld) -> None:
    await clear(fields, range(1, 3))
    assert await waiting(fields) == []
    fields.let_pass(31 * 86_400)
    await held_plans.run_once(fields.world.ctx)
    await undo(fields, range(1, 3))

    assert (await fields.world.states()).count("managed") == LINKS - 1
    assert [it["operation"] for it in await fields.world.audit()][-1] == "release"
    untouched(fields)


async def test_issues_that_exchange_their_twins_and_back(fields: FieldWorld) -> None:
    """A column pasted one row too low."""
    before = mirrors(await fields.world.ledger())
    claim_all(fields, EDITED, by=2)
    await settle(fields)
    assert await ended(fields) <= LIMIT
    await undo(fields)

    after = {it["id"]: it for it in await fields.world.ledger()}
    assert {after[it]["state"] for it in before} == {"managed"}
    assert {it: after[it]["right_link_id"] for it in before} == before
    assert not fields.right.jira.mutations.select("removed", ACCOUNT)


async def test_what_took_the_place_gives_way_though_it_is_held(fields: FieldWorld) -> None:
    """The exchange, a link between pairs that it made, another bulk edit, and all of it undone."""
    claim_all(fields, range(1, 5), by=2)
    await settle(fields)
    fields.left.person().link("P-2", "Relates", "P-3")
    await settle(fields)
    await clear(fields, EDITED)
    await undo(fields)

    assert [it["state"] for it in await fields.world.ledger() if it["left_type_id"] == 10000][
        :LINKS
    ] == ["managed"] * LINKS
    assert await waiting(fields) == []
    assert not fields.right.jira.mutations.select("removed", ACCOUNT)


async def test_none_are_let_go_where_that_would_be_all(db_url: str) -> None:
    wide = GuardLimits(WindowLimits(0.01, 100, 100), WindowLimits(0.05, 100, 100))
    async with opened(db_url, wide) as fields:
        fields.left.person().unlink(f"P-{2 * LINKS - 1}", "Blocks", f"P-{2 * LINKS}")
        await settle(fields)
        await clear(fields)
        assert await ended(fields) == 0
        assert len(await waiting(fields)) == LINKS - 1
        await undo(fields)
        assert await fields.world.states() == ["managed"] * (LINKS - 1)


async def test_a_plan_that_is_not_decided_is_made_again(fields: FieldWorld) -> None:
    await clear(fields)
    held = len(await waiting(fields))
    fields.let_pass(60)
    await held_plans.run_once(fields.world.ctx)
    fields.let_pass(8 * 86_400)
    await held_plans.run_once(fields.world.ctx)

    assert await statuses(fields) == ["expired", "gathering"]
    assert len(await waiting(fields)) == held
    await decide(fields, "approve")
    assert await statuses(fields) == ["expired", "applied"]
    untouched(fields)


async def test_a_sealed_plan_ends_when_all_of_it_came_back(fields: FieldWorld) -> None:
    await clear(fields)
    fields.let_pass(60)
    await held_plans.run_once(fields.world.ctx)
    await undo(fields)

    assert await statuses(fields) == ["expired"]
    assert await fields.world.states() == ["managed"] * LINKS


async def test_a_roll_back_to_pairs_by_api_leaves_the_decision_open(fields: FieldWorld) -> None:
    await clear(fields)
    await reconfigure(fields, replace(await config_of(fields), twins=TwinSource("api")))
    await fields.poll()
    await settle(fields)
    assert len(await waiting(fields)) == LINKS - 1 - LIMIT
    await decide(fields, "reject")
    assert (await fields.world.states()).count("managed") == LINKS - LIMIT
    untouched(fields)


async def test_a_scope_that_narrows_and_widens_brings_all_back(fields: FieldWorld) -> None:
    """Whatever leaves the scope or the map is suspended, and nothing else: there is no limit."""
    before, config = mirrors(await fields.world.ledger()), await config_of(fields)
    away = replace(config, left=replace(config.left, projects=(ProjectKey("X"),)))
    unmapped = replace(config, link_types=config.link_types[1:])
    for narrow in (away, unmapped):
        await reconfigure(fields, narrow)
        await fields.world.resync()
        await settle(fields)
        assert set(await fields.world.states()) == {"suspended"}
        await reconfigure(fields, config)
        await fields.world.resync()
        await settle(fields)
        after = await fields.world.ledger()
        assert {it["state"] for it in after} == {"managed"}
        assert mirrors(after) == before
    untouched(fields)


async def test_a_person_unpairs_many(fields: FieldWorld) -> None:
    """Up to the limit at once; what goes beyond it waits for an approver."""
    ctx, twins = fields.world.ctx, [it["id"] for it in await fields.twins()]
    said = [
        await unpairings.unpair(ctx, fields.connection, twin, actor="ann") for twin in twins[:-2:2]
    ]
    await settle(fields)

    assert [it.released for it in said] == [1] * LIMIT + [0] * (LINKS - 1 - LIMIT)
    assert [it.held for it in said] == [0] * LIMIT + [1] * (LINKS - 1 - LIMIT)
    assert len({it.plan_id for it in said[LIMIT:]}) == 1
    again = await unpairings.unpair(ctx, fields.connection, twins[2 * LIMIT], actor="ann")
    assert again == said[LIMIT], "it waits already"
    await decide(fields, "approve")
    assert await statuses(fields) == ["applied"]
    released = [it for it in await fields.world.audit() if it["operation"] == "release"]
    assert len(released) == LINKS - 1
    untouched(fields)


async def test_the_windows_are_shown(fields: FieldWorld) -> None:
    await clear(fields)
    async with fields.world.database.connection() as conn:
        row = await connections.by_id(conn, fields.connection)
        assert row is not None
        shown = {it.scope: it for it in (await view(conn, row, fields.world.now())).windows}
    assert shown["unpaired_hour"].limit == LIMIT
    assert shown["unpaired_hour"].used == LIMIT
    assert shown["hour"].used == 0, "nothing is removed"


async def test_a_link_to_a_pair_that_was_let_go_is_explained(fields: FieldWorld) -> None:
    await clear(fields, range(1, 2))
    told = await explain(fields.world.ctx, fields.connection, "P-2")
    assert [(it.state, it.row) for it in told] == [("suspended", 13)]


async def config_of(fields: FieldWorld) -> ConnectionConfig:
    async with fields.world.database.connection() as conn:
        state = await active_connection.load(conn, fields.connection)
    assert state is not None
    return state.config


async def reconfigure(fields: FieldWorld, config: ConnectionConfig) -> None:
    async with fields.world.database.transaction() as conn:
        await active_connection.lock(conn, fields.connection)
        await connections.append_revision(
            conn, fields.connection, config, author="ann", note="", now=fields.world.now()
        )
