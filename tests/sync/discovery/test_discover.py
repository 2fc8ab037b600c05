"""Twins from a custom field: pairing, and everything that must not pair."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from app.core.links import ProjectKey
from app.sandbox import Fault
from app.store.config import active_connection, connections
from app.store.links import twins
from app.sync.discovery import discover
from tests.support.crash import killed
from tests.sync.discovery.fields import FieldWorld, open_fields


@pytest.fixture(params=["cloud", "datacenter"])
async def both(request: pytest.FixtureRequest, db_url: str) -> AsyncIterator[FieldWorld]:
    async with open_fields(db_url, request.param) as made:
        yield made


@pytest.fixture
async def fields(db_url: str) -> AsyncIterator[FieldWorld]:
    async with open_fields(db_url) as made:
        yield made


async def linked(fields: FieldWorld) -> None:
    """P-1 and P-2 are paired with P-3 and P-4, and a link between them is mirrored."""
    fields.claim("P-1", "P-3")
    fields.claim("P-2", "P-4")
    await fields.discover()
    fields.left.person().link("P-1", "Blocks", "P-2")
    await fields.world.settle()
    assert await fields.world.states() == ["managed"]


async def test_a_key_in_the_field_pairs_and_links_follow(both: FieldWorld) -> None:
    await linked(both)

    assert await both.pairs() == {"P-1": "P-3", "P-2": "P-4"}
    assert {it["source"] for it in await both.twins()} == {"field"}
    assert both.right.jira.triples_of() == {("P-3", "Blocks", "P-4")}
    assert await both.claims() == {"P-1": "paired", "P-2": "paired"}
    assert await both.discoveries() == []


async def test_an_address_of_the_other_site_pairs_too(both: FieldWorld) -> None:
    both.claim("P-1", f"{both.right.jira.base_url}/browse/P-3?x=1")
    await both.discover()

    assert await both.pairs() == {"P-1": "P-3"}


async def test_an_address_of_a_third_site_pairs_nothing(fields: FieldWorld) -> None:
    fields.claim("P-1", "https://third.example/browse/P-3")
    await fields.discover()

    assert await fields.pairs() == {}
    assert set((await fields.claims()).values()) <= {"error", "unknown_issue"}
    assert list(await fields.claims()) == ["P-1"]


async def test_text_that_is_no_key_is_shown_but_not_kept(fields: FieldWorld) -> None:
    fields.claim("P-1", "a secret plan")
    await fields.discover()

    assert await fields.claims() == {"P-1": "error"}
    stored = await fields.world.rows(
        "SELECT claimed_key FROM twin_claims WHERE connection_id = ANY($1::bigint[])"
    )
    assert stored == [{"claimed_key": ""}]


async def test_a_hidden_target_is_unknown_and_pairs_once_it_is_seen(both: FieldWorld) -> None:
    both.right.person().hide("P-3", "twinlink")
    both.claim("P-1", "P-3")
    await both.discover()
    assert await both.claims() == {"P-1": "unknown_issue"}
    assert await both.pairs() == {}

    both.right.person().hide("P-3", "twinlink", hidden=False)
    both.left.person().edit("P-1", **{both.field: "p-3"})
    await both.discover()
    assert await both.pairs() == {"P-1": "P-3"}


async def test_a_target_that_becomes_hidden_keeps_its_pair(both: FieldWorld) -> None:
    await linked(both)
    both.right.person().hide("P-3", "twinlink")
    both.claim("P-1", " P-3")
    await both.discover()

    assert await both.pairs() == {"P-1": "P-3", "P-2": "P-4"}
    assert (await both.claims())["P-1"] == "paired"


async def test_a_target_that_moved_and_then_hid_keeps_its_pair(both: FieldWorld) -> None:
    await linked(both)
    both.right.person().move("P-3", "X")
    both.right.person().move("X-1", "P")
    await both.world.settle()
    assert await both.pairs() == {"P-1": "P-8", "P-2": "P-4"}
    both.right.person().hide("P-8", "twinlink")
    both.claim("P-1", "p-3")
    await both.discover()

    assert await both.pairs() == {"P-1": "P-8", "P-2": "P-4"}


async def test_another_jira_in_its_place_unpairs_nobody(fields: FieldWorld) -> None:
    await linked(fields)
    fields.claim("P-1", None)
    fields.left.jira.cloud_id = "a-copy-of-it"
    await fields.world.deliver()
    assert await discover.run_once(fields.world.worker()) == 1

    assert await fields.pairs() == {"P-1": "P-3", "P-2": "P-4"}
    assert len(await fields.discoveries()) == 1


async def test_a_deleted_issue_keeps_its_pair(both: FieldWorld) -> None:
    await linked(both)
    both.claim("P-1", "p-3")
    both.left.person().delete("P-1")
    await both.discover()

    assert await both.pairs() == {"P-1": "P-3", "P-2": "P-4"}
    assert (await both.claims())["P-1"] == "paired"
    assert await both.discoveries() == []


async def test_an_issue_that_is_not_returned_changes_nothing(both: FieldWorld) -> None:
    await linked(both)
    both.claim("P-1", None)
    both.left.person("root").hide("P-1", "twinlink")
    for _ in range(10):
        await both.discover()
        both.let_pass(700)
    await both.discover()

    assert await both.pairs() == {"P-1": "P-3", "P-2": "P-4"}
    assert await both.discoveries() == [], "a hidden issue is not asked for ever"


async def test_wrong_projects_pair_nothing(fields: FieldWorld) -> None:
    fields.right.person().create("X", "Out of scope")
    fields.claim("P-1", "X-1")
    await fields.discover()

    assert await fields.claims() == {"P-1": "wrong_project"}
    assert await fields.pairs() == {}


async def test_two_claims_on_one_issue_pair_neither(fields: FieldWorld) -> None:
    fields.claim("P-1", "P-3")
    fields.claim("P-2", "P-3")
    await fields.discover()

    assert await fields.pairs() == {}
    assert await fields.claims() == {"P-1": "ambiguous", "P-2": "ambiguous"}

    fields.claim("P-2", "P-4")
    await fields.discover()
    assert await fields.pairs() == {"P-1": "P-3", "P-2": "P-4"}
    assert await fields.claims() == {"P-1": "paired", "P-2": "paired"}


async def test_a_clone_lets_the_pair_rest_and_its_deletion_resumes_it(both: FieldWorld) -> None:
    await linked(both)
    before = await both.world.ledger()
    writes = both.right.jira.mutations.select("created", "twinlink")
    both.left.person().create("P", "Clone of P-1")
    both.claim("P-7", "P-3")
    await both.discover()

    assert await both.claims() == {"P-1": "ambiguous", "P-2": "paired", "P-7": "ambiguous"}
    resting = {it["left_key"]: it["suspended"] for it in await both.twins()}
    assert resting == {"P-1": "ambiguous_claim", "P-2": None}
    both.left.person().unlink("P-1", "Blocks", "P-2")
    await both.world.settle()
    assert both.right.jira.triples_of() == {("P-3", "Blocks", "P-4")}, "nothing is planned"
    assert [(it["state"], it["former"]) for it in await both.world.ledger()] == [
        ("suspended", "managed")
    ]

    both.left.person().link("P-1", "Blocks", "P-2")
    both.left.person().delete("P-7")
    await both.discover()
    await both.poll()
    await both.discover()
    await both.world.settle()

    assert await both.claims() == {"P-1": "paired", "P-2": "paired"}
    assert {it["suspended"] for it in await both.twins()} == {None}
    after = await both.world.ledger()
    assert [it["state"] for it in after] == ["managed"]
    assert after[0]["right_link_id"] == before[0]["right_link_id"]
    assert both.right.jira.mutations.select("created", "twinlink") == writes


async def test_a_clone_that_is_merely_hidden_keeps_the_question_open(fields: FieldWorld) -> None:
    fields.claim("P-1", "P-3")
    fields.claim("P-2", "P-3")
    await fields.discover()
    fields.left.person().hide("P-2", "twinlink")
    fields.left.person("root").edit("P-1", **{fields.field: "p-3"})
    await fields.discover()

    assert await fields.pairs() == {}
    assert await fields.claims() == {"P-1": "ambiguous", "P-2": "ambiguous"}


async def test_clearing_the_field_suspends_and_removes_nothing(both: FieldWorld) -> None:
    await linked(both)
    both.claim("P-1", None)
    await both.discover()
    await both.world.settle()

    assert await both.pairs() == {"P-2": "P-4"}
    assert await both.claims() == {"P-2": "paired"}
    assert both.right.jira.triples_of() == {("P-3", "Blocks", "P-4")}
    assert await both.world.states() == ["suspended"]


async def test_another_key_in_the_field_pairs_anew(fields: FieldWorld) -> None:
    await linked(fields)
    fields.claim("P-1", "P-5")
    await fields.discover()

    assert await fields.pairs() == {"P-1": "P-5", "P-2": "P-4"}


async def test_two_issues_may_exchange_their_twins(fields: FieldWorld) -> None:
    await linked(fields)
    fields.claim("P-1", "P-4")
    fields.claim("P-2", "P-3")
    await fields.discover()

    assert await fields.pairs() == {"P-1": "P-4", "P-2": "P-3"}


async def test_a_moved_target_is_found_under_its_former_key(both: FieldWorld) -> None:
    await linked(both)
    both.right.person().move("P-3", "X")
    both.right.person().move("X-1", "P")
    await both.world.settle()
    both.claim("P-1", "p-3")
    await both.discover()

    twin = next(it for it in await both.twins() if it["left_key"] == "P-1")
    assert twin["right_key"] == "P-8"
    assert (await both.claims())["P-1"] == "paired"


async def test_a_pair_of_the_api_is_left_alone(fields: FieldWorld) -> None:
    await fields.world.pair(fields.connection, ("left", "P-1"), ("right", "P-3"))
    fields.claim("P-1", "P-4")
    fields.claim("P-2", "P-3")
    await fields.discover()
    assert await fields.pairs() == {"P-1": "P-3"}
    assert await fields.claims() == {"P-1": "already_paired", "P-2": "already_paired"}

    fields.claim("P-1", None)
    await fields.discover()
    assert await fields.pairs() == {"P-1": "P-3"}


async def test_a_field_that_a_whole_project_lost_unpairs_nobody(both: FieldWorld) -> None:
    for number in range(1, 5):
        both.claim(f"P-{number}", f"P-{number + 2}")
    await both.discover()
    assert len(await both.pairs()) == 4
    for number in range(1, 5):
        both.claim(f"P-{number}", None)
    await both.discover()

    assert len(await both.pairs()) == 4
    assert set((await both.claims()).values()) == {"error"}
    assert await both.discoveries() == []


async def test_a_site_that_is_down_loses_nothing(both: FieldWorld) -> None:
    down = both.right.jira.faults.add(Fault("error_before", status=503))
    both.claim("P-1", "P-3")
    await both.discover()
    assert down.hits > 0
    assert await both.pairs() == {}
    assert [it["tries"] for it in await both.discoveries()] == [1]

    both.right.jira.faults.clear()
    assert await discover.run_once(both.world.ctx) == 0, "not before its time"
    both.let_pass(700)
    await both.discover()
    assert await both.pairs() == {"P-1": "P-3"}
    assert await both.discoveries() == []


async def test_nobody_unpairs_as_nobody(fields: FieldWorld) -> None:
    await linked(fields)
    fields.claim("P-1", None)
    fields.left.jira.faults.add(Fault("anonymous"))
    await fields.discover()

    assert await fields.pairs() == {"P-1": "P-3", "P-2": "P-4"}
    assert len(await fields.discoveries()) == 1


async def test_a_write_whose_outcome_is_open_puts_unpairing_off(fields: FieldWorld) -> None:
    fields.claim("P-1", "P-3")
    fields.claim("P-2", "P-4")
    await fields.discover()
    fields.left.person().link("P-1", "Blocks", "P-2")
    async with killed(fields.right.jira, "POST", "/issueLink", acted=True):
        await fields.world.settle()
    fields.claim("P-1", None)
    await fields.discover()
    assert await fields.pairs() == {"P-1": "P-3", "P-2": "P-4"}
    assert (await fields.claims())["P-1"] == "paired"

    await fields.world.settle()
    fields.let_pass(700)
    await fields.discover()
    assert await fields.pairs() == {"P-2": "P-4"}


async def test_an_event_during_a_look_is_looked_at(both: FieldWorld) -> None:
    path = "bulkfetch" if both.left.jira.flavour == "cloud" else "search"

    async def meanwhile() -> None:
        both.claim("P-1", "P-4")
        await both.world.deliver()

    both.left.jira.faults.add(Fault("after", path=path, times=1, action=meanwhile))
    both.claim("P-1", "P-3")
    await both.world.deliver()
    await discover.run_once(both.world.ctx)
    assert len(await both.discoveries()) == 1

    await both.discover()
    assert await both.pairs() == {"P-1": "P-4"}


async def test_an_older_reading_never_overtakes_a_newer_one(both: FieldWorld) -> None:
    path = "bulkfetch" if both.left.jira.flavour == "cloud" else "search"
    other = both.world.worker()

    async def meanwhile() -> None:
        both.claim("P-1", "P-4")
        await both.world.deliver()
        assert await discover.run_once(other) == 1
        assert await both.discoveries() == []

    both.left.jira.faults.add(Fault("after", path=path, times=1, action=meanwhile))
    both.claim("P-1", "P-3")
    await both.world.deliver()
    await discover.run_once(both.world.ctx)

    assert await both.pairs() == {"P-1": "P-4"}
    await both.discover()
    assert await both.pairs() == {"P-1": "P-4"}


async def test_a_configuration_that_changed_meanwhile_is_asked_again(fields: FieldWorld) -> None:
    async def meanwhile() -> None:
        async with fields.world.database.transaction() as conn:
            state = await active_connection.lock(conn, fields.connection)
            assert state is not None
            elsewhere = replace(state.config.right, projects=(ProjectKey("X"),))
            await connections.append_revision(
                conn,
                fields.connection,
                replace(state.config, right=elsewhere),
                author="ann",
                note="",
                now=fields.world.now(),
            )

    fields.left.jira.faults.add(Fault("after", path="bulkfetch", times=1, action=meanwhile))
    fields.claim("P-1", "P-3")
    await fields.discover()
    assert await fields.pairs() == {}
    fields.let_pass(5)
    await fields.discover()

    assert await fields.pairs() == {}
    assert await fields.claims() == {"P-1": "wrong_project"}


async def test_a_pause_holds_discovery(fields: FieldWorld) -> None:
    await fields.world.execute(
        "UPDATE connections SET paused_at = now() WHERE id = $1", fields.connection
    )
    fields.claim("P-1", "P-3")
    await fields.world.deliver()
    assert await discover.run_once(fields.world.ctx) == 0

    await fields.world.execute(
        "UPDATE connections SET paused_at = NULL WHERE id = $1", fields.connection
    )
    await fields.discover()
    assert await fields.pairs() == {"P-1": "P-3"}


async def test_claims_of_many_workers_never_meet(fields: FieldWorld) -> None:
    for number in range(1, 7):
        fields.claim(f"P-{number}", f"P-{number + 1}")
    await fields.world.deliver()
    async with fields.world.database.transaction() as one:
        held = await one.fetch("SELECT 1 FROM discoveries ORDER BY issue_id LIMIT 2 FOR UPDATE")
        assert len(held) == 2
        assert await discover.run_once(fields.world.ctx) == 4
    await fields.discover()
    async with fields.world.database.connection() as conn:
        assert await twins.count(conn, fields.connection) == 6


async def test_a_clone_with_its_links_plans_nothing(both: FieldWorld) -> None:
    """Jira's own clone copies every custom field, and the links if the person ticks that."""
    await linked(both)
    clone = both.left.person().clone("P-1", with_links=True)
    both.claim(clone.key, "p-3")
    await both.discover()
    await both.world.settle()

    assert await both.claims() == {"P-1": "ambiguous", "P-2": "paired", "P-7": "ambiguous"}
    assert both.right.jira.triples_of() == {("P-3", "Blocks", "P-4")}
    assert [it["state"] for it in await both.world.ledger()] == ["suspended"]
    both.claim("P-7", None)
    await both.discover()
    await both.world.settle()
    assert [it["state"] for it in await both.world.ledger()] == ["managed"]
    assert both.right.jira.triples_of() == {("P-3", "Blocks", "P-4")}


async def test_a_clone_counts_although_its_field_was_never_edited(both: FieldWorld) -> None:
    """It is made with the field in it: no changelog of it names that field."""
    await linked(both)
    both.left.person().clone("P-1")
    await both.discover()
    await both.poll()
    await both.discover()

    assert await both.claims() == {"P-1": "ambiguous", "P-2": "paired", "P-7": "ambiguous"}
