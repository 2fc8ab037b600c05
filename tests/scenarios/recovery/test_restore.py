"""What was removed can be put back from the audit alone, and stays as it is put."""

from typing import Any

import pytest

from app.core.config import Mode
from app.core.errors import PermanentError
from app.sandbox import Fault
from app.store.config import active_connection, connections
from app.store.recovery.restore_select import Filters
from app.sync.guard import held_plans
from app.sync.recovery import restore
from app.sync.twins import release
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.recovery.restoring import (
    apply,
    approve,
    ask,
    changes,
    finish,
    plan_of,
    planned,
    removed,
    results,
)
from tests.support.engine import ACCOUNT
from tests.support.mixed import ELSEWHERE

MIRROR = ("P-2", "Blocks", "P-3")


async def nothing_moves(duo: Duo) -> None:
    """Two resyncs later."""
    for _ in range(2):
        before = (duo.left.jira.triples_of(), duo.right.jira.triples_of(), await duo.world.states())
        written = len(duo.left.jira.mutations), len(duo.right.jira.mutations)
        await duo.world.resync()
        await duo.world.settle()
        after = (duo.left.jira.triples_of(), duo.right.jira.triples_of(), await duo.world.states())
        assert after == before
        assert written == (len(duo.left.jira.mutations), len(duo.right.jira.mutations))


async def test_it_comes_back_detached_without_its_origin_and_stays(duo: Duo) -> None:
    await removed(duo)
    plan = await ask(duo.world)
    assert (await plan_of(duo.world, plan))["status"] == "held"
    assert MIRROR not in duo.right.jira.triples_of(), "planned is not done"
    assert await apply(duo.world, plan) == {"P-2 P-3": "applied:read_back_ours"}
    assert duo.right.jira.triples_of() == {MIRROR}
    assert await duo.world.states() == ["detached"]
    [row] = await changes(duo.world, plan)
    assert row["verified"]
    assert row["evidence"]["former"] == "managed"
    await nothing_moves(duo)


async def test_it_is_managed_again_where_its_origin_came_back(duo: Duo) -> None:
    """And is then in step again: the origin goes, and it goes."""
    await removed(duo)
    await _mode(duo, Mode.SHADOW)
    origin = duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    await apply(duo.world, await ask(duo.world))
    await duo.world.settle()
    assert await duo.world.states() == ["managed"]
    await _mode(duo, Mode.LIVE)
    await nothing_moves(duo)
    duo.ann.unlink(origin)
    await duo.world.settle()
    assert duo.right.jira.triples_of() == set()


async def test_the_audit_says_what_it_was(duo: Duo) -> None:
    await removed(duo)
    await apply(duo.world, await ask(duo.world))
    rows = await duo.world.audit()
    intended = next(it for it in rows if it["cause_kind"] == "restore")
    assert intended["status"] == "intended"
    gone = next(it for it in rows if it["operation"] == "remove" and it["status"] == "applied")
    assert intended["evidence"]["removed_link"] == str(gone["link_id"])
    assert intended["evidence"]["former"] == "managed"
    assert rows[-1]["status"] == "applied"
    assert rows[-1]["managed"]


async def test_a_second_restore_finds_nothing_to_do(duo: Duo) -> None:
    await removed(duo)
    await apply(duo.world, await ask(duo.world))
    again = await ask(duo.world)
    assert (await plan_of(duo.world, again))["status"] == "applied"
    assert await results(duo.world, again) == {"P-2 P-3": "skipped:already_there"}
    assert len(duo.right.ours) == 1


async def came_back_and_went(duo: Duo) -> None:
    """Removed by us, put back, and removed by a person."""
    await removed(duo)
    await apply(duo.world, await ask(duo.world))
    await duo.world.settle()
    duo.bob.unlink(*MIRROR)
    await duo.world.settle()


async def test_what_a_person_removed_since_is_not_made_again(duo: Duo) -> None:
    await removed(duo, "P-2", "Relates", "P-3")
    await came_back_and_went(duo)
    again = await ask(duo.world)
    expected = {"P-2 P-3": "skipped:removed_since", "P-3 P-1": "skipped:already_there"}
    assert await results(duo.world, again) == expected
    assert MIRROR not in duo.right.jira.triples_of()


@pytest.mark.parametrize("named", [{"link_ids": ["1"]}, {"issues": ["P-1"]}, {"again": True}])
async def test_what_is_named_is_made_again(duo: Duo, named: dict[str, Any]) -> None:
    await came_back_and_went(duo)
    plan = await ask(duo.world, **named)
    assert await apply(duo.world, plan) == {"P-2 P-3": "applied:read_back_ours"}
    await nothing_moves(duo)


async def test_what_we_removed_since_is_restored(duo: Duo) -> None:
    """By the removal that the request chooses, which is not the last one."""
    await removed(duo)
    between = duo.world.now()
    await removed(duo)
    plan = await ask(duo.world, filters=Filters(until=between))
    assert await apply(duo.world, plan) == {"P-2 P-3": "applied:read_back_ours"}


async def test_a_person_removes_it_between_two_plans_for_it(duo: Duo) -> None:
    await removed(duo)
    one, other = await ask(duo.world), await ask(duo.world)
    await apply(duo.world, one)
    duo.bob.unlink(duo.mirror)
    assert await apply(duo.world, other) == {"P-2 P-3": "skipped:removed_since"}
    assert not duo.right.jira.links


async def test_two_plans_for_the_same_links(duo: Duo) -> None:
    """Approved side by side: one makes it, the other finds it."""
    await removed(duo)
    one, other = await ask(duo.world), await ask(duo.world)
    await approve(duo.world, one)
    await approve(duo.world, other)
    await finish(duo.world, one)
    await finish(duo.world, other)
    found = {*(await results(duo.world, one)).values(), *(await results(duo.world, other)).values()}
    assert found == {"applied:read_back_ours", "skipped:already_there"}
    assert len(duo.right.jira.mutations.select("created", ACCOUNT)) == 2


async def test_approvals_are_exact_and_happen_once(duo: Duo) -> None:
    await removed(duo)
    plan = await ask(duo.world)
    digest = (await plan_of(duo.world, plan))["digest"]

    async def decide(digest: str) -> str:
        try:
            await held_plans.approve(
                duo.world.database, plan, digest, by="ann", note="", now=duo.world.now()
            )
        except PermanentError as error:
            return error.code
        return "approved"

    assert await decide("0" * 64) == "plan_digest"
    assert await decide(digest) == "approved"
    assert await decide(digest) == "plan_decided"
    await finish(duo.world, plan)
    assert await decide(digest) == "plan_decided"


async def test_a_rejected_one_changes_nothing(duo: Duo) -> None:
    await removed(duo)
    plan = await ask(duo.world)
    digest = (await plan_of(duo.world, plan))["digest"]
    await held_plans.reject(
        duo.world.database, plan, digest, by="ann", note="", now=duo.world.now()
    )
    await planned(duo.world)
    assert await results(duo.world, plan) == {"P-2 P-3": "rejected"}
    assert not duo.right.jira.links


async def test_it_expires(duo: Duo) -> None:
    await removed(duo)
    plan = await ask(duo.world)
    duo.world.clock.tick(8 * 86400)
    await held_plans.run_once(duo.world.ctx)
    assert (await plan_of(duo.world, plan))["status"] == "expired"
    with pytest.raises(PermanentError, match="plan_expired"):
        await approve(duo.world, plan)


async def test_nothing_is_selected(duo: Duo) -> None:
    with pytest.raises(PermanentError, match="nothing_selected"):
        await ask(duo.world)
    await removed(duo)
    with pytest.raises(PermanentError, match="nothing_selected"):
        await ask(duo.world, filters=Filters(engine="other/1"))
    assert await duo.world.rows("SELECT 1 FROM plans WHERE connection_id = ANY($1::bigint[])") == []


async def test_every_filter_chooses(duo: Duo) -> None:
    world = duo.world
    await removed(duo)
    between = world.now()
    await removed(duo, "P-2", "Relates", "P-3")
    rows = [it for it in await world.audit() if it["operation"] == "remove"]
    first, second = (it for it in rows if it["status"] == "applied")
    [connection] = await world.rows("SELECT id FROM connections WHERE id = ANY($1::bigint[])")
    right = duo.right.access.name
    both, none = {"P-2 P-3", "P-3 P-1"}, set[str]()
    cases: list[tuple[Filters, set[str]]] = [
        (Filters(until=between), {"P-2 P-3"}),
        (Filters(since=between), {"P-3 P-1"}),
        (Filters(connection=connection["id"]), both),
        (Filters(connection=connection["id"] + 1), none),
        (Filters(within=[connection["id"] + 1]), none),
        (Filters(site=right), both),
        (Filters(site=duo.left.access.name), none),
        (Filters(revision=1), both),
        (Filters(revision=2), none),
        (Filters(engine="twinlink/test"), both),
        (Filters(cause="webhook"), both),
        (Filters(cause=f"webhook:{first['cause_id']}"), {"P-2 P-3"}),
        (Filters(cause="poll"), none),
        (Filters(plan=99), none),
        (Filters(link_ids=[second["link_id"]]), {"P-3 P-1"}),
        (Filters(issues=["P-1"], link_ids=[second["link_id"]]), {"P-3 P-1"}),
        (Filters(issues=["P-4"]), none),
    ]
    for filters, expected in cases:
        try:
            plan = await ask(world, filters=filters)
        except PermanentError:
            found = set()
        else:
            found = {
                f"{it['source_key']} {it['destination_key']}" for it in await changes(world, plan)
            }
        assert found == expected, filters


async def test_an_issue_is_found_by_the_keys_of_both_sides(duo: Duo) -> None:
    """The left P-4 is the right P-4; the left P-1 is the right P-2, whose key has changed."""
    await removed(duo)
    moved = duo.right.person("root").move("P-2", ELSEWHERE)
    await duo.world.resync()
    await duo.world.settle()
    for key in (moved, "P-2", "P-1"):
        plan = await ask(duo.world, filters=Filters(issues=[key]))
        assert len(await changes(duo.world, plan)) == 1, key


async def test_a_moved_issue_is_no_obstacle(duo: Duo) -> None:
    await removed(duo)
    moved = duo.right.person("root").move("P-3", ELSEWHERE)
    plan = await ask(duo.world)
    assert await apply(duo.world, plan) == {f"P-2 {moved}": "applied:read_back_ours"}
    await duo.world.settle()
    assert duo.right.jira.triples_of() == {("P-2", "Blocks", moved)}
    await nothing_moves(duo)


async def test_an_unpaired_link_comes_back_unmanaged(duo: Duo) -> None:
    await removed(duo)
    await duo.world.execute("DELETE FROM twins WHERE id = $1", duo.twins["P-1"])
    await apply(duo.world, await ask(duo.world))
    assert duo.right.jira.triples_of() == {MIRROR}
    assert await duo.world.states() == []
    await nothing_moves(duo)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("deleted", "issue_gone"),
        ("deleted unseen", "issue_not_seen"),
        ("hidden", "issue_not_seen"),
        ("archived", "archived"),
        ("type", "type_gone"),
        ("there", "already_there"),
        ("full", "link_limit"),
    ],
)
@pytest.mark.parametrize("when", ["before the plan", "after the approval"])
async def test_what_cannot_come_back_says_why(duo: Duo, what: str, reason: str, when: str) -> None:
    await _removed_on_the_left(duo, "P-2", "Blocks", "P-3")
    await _removed_on_the_left(duo, "P-2", "Relates", "P-1")
    expected = {"P-1 P-3": "applied:read_back_ours", "P-1 P-2": f"skipped:{reason}"}
    if when == "before the plan":
        await _obstruct(duo, what)
        plan = await ask(duo.world)
        assert (await results(duo.world, plan))["P-1 P-2"] == f"skipped:{reason}"
        await approve(duo.world, plan)
    else:
        plan = await ask(duo.world)
        await approve(duo.world, plan)
        await _obstruct(duo, what)
        if what == "type":
            # Jira does not say whether the type or a permission is missing.
            expected["P-1 P-2"] = "failed:not_found_or_not_permitted"
    await finish(duo.world, plan)
    assert await results(duo.world, plan) == expected
    assert len(duo.left.ours) == 1


async def _removed_on_the_left(duo: Duo, source: str, name: str, to: str) -> None:
    """Cloud's side: made on the right, mirrored on the left, removed on both."""
    made = duo.bob.link(source, name, to)
    await duo.world.settle()
    assert len(duo.left.ours) == 1
    duo.bob.unlink(made)
    await duo.world.settle()
    assert not duo.left.jira.links


async def _obstruct(duo: Duo, what: str) -> None:
    root, jira = duo.left.person("root"), duo.left.jira
    if what.startswith("deleted"):
        root.delete("P-2")
        if what == "deleted":
            await duo.world.settle()
        else:
            jira.outbox.pop_due()
    elif what == "hidden":
        root.hide("P-2", ACCOUNT)
    elif what == "archived":
        root.archive("P-2")
    elif what == "type":
        del jira.types[jira.link_type("Blocks").id]
    elif what == "there":
        root.link("P-1", "Blocks", "P-2")
    else:
        jira.webhooks.clear()
        for number in range(2000):
            root.link("P-2", "Tests", root.create("P", f"Other {number}").key)


async def test_the_limit_that_only_jira_knows(duo: Duo) -> None:
    """Data Center has limits of its own."""
    await removed(duo)
    plan = await ask(duo.world)
    duo.right.jira.quirks.link_limit = 0
    assert await apply(duo.world, plan) == {"P-2 P-3": "skipped:link_limit"}


async def test_no_permission_fails_that_link_only(duo: Duo) -> None:
    await removed(duo)
    plan = await ask(duo.world)
    duo.right.jira.permit(ACCOUNT, "LINK_ISSUES", "P", allowed=False)
    found = await apply(duo.world, plan)
    assert found == {"P-2 P-3": "failed:link_not_permitted"}
    assert not duo.right.jira.links


async def test_somebody_else_makes_it_right_before_our_post(duo: Duo) -> None:
    """Jira answers 201 to ours too: theirs it is, and no row claims it."""
    await removed(duo)
    plan = await ask(duo.world)
    race = Fault(
        "before",
        "POST",
        "^/issueLink$",
        times=1,
        action=lambda: duo.bob.link("P-2", "Blocks", "P-3"),
    )
    duo.right.jira.faults.add(race)
    assert await apply(duo.world, plan) == {"P-2 P-3": "skipped:made_by_another"}
    assert race.hits == 1
    assert not duo.right.ours
    await duo.world.settle()
    [row] = await duo.world.ledger()
    assert row["origin"] == "right", "a link of theirs, mirrored like any other"


async def test_a_pause_stops_it_and_nothing_is_lost(duo: Duo) -> None:
    await removed(duo)
    plan = await ask(duo.world)
    await approve(duo.world, plan)
    await _pause(duo, paused=True)
    await planned(duo.world)
    assert not duo.right.jira.links
    await _pause(duo, paused=False)
    await finish(duo.world, plan)
    assert duo.right.jira.triples_of() == {MIRROR}


async def test_a_pause_between_claim_and_intent(duo: Duo) -> None:
    await removed(duo)
    plan = await ask(duo.world)
    await approve(duo.world, plan)
    race = Fault("after", "POST", "^/search$", times=1, action=lambda: _pause(duo, paused=True))
    duo.right.jira.faults.add(race)
    await restore.run_once(duo.world.ctx)
    assert race.hits == 1
    assert not duo.right.jira.links
    await _pause(duo, paused=False)
    await finish(duo.world, plan)
    assert duo.right.jira.triples_of() == {MIRROR}


@pytest.mark.parametrize("mode", list(Mode))
async def test_restores_go_on_in_every_mode_and_past_a_tripped_guard(
    build: Build, mode: Mode
) -> None:
    duo = await build()
    await removed(duo)
    await _mode(duo, mode)
    async with duo.world.database.transaction() as conn:
        await active_connection.lock(conn, duo.connection)
        await active_connection.trip(conn, duo.connection, "hour", duo.world.now())
    await apply(duo.world, await ask(duo.world))
    assert duo.right.jira.triples_of() == {MIRROR}


async def test_a_deleted_connection_gets_its_links_back(duo: Duo) -> None:
    await removed(duo)
    await release.delete_connection(
        duo.world.database, duo.connection, actor="x", now=duo.world.now(), engine="x"
    )
    await apply(duo.world, await ask(duo.world))
    assert duo.right.jira.triples_of() == {MIRROR}


async def test_a_site_that_is_away_is_waited_for(duo: Duo) -> None:
    await removed(duo)
    fault = duo.right.jira.faults.add(Fault("error_before", "POST", "^/search$", times=2))
    _, plan = await restore.request(
        duo.world.database,
        "remove",
        Filters(),
        asked={},
        requested_by="ann",
        now=duo.world.now(),
    )
    await planned(duo.world)
    assert (await plan_of(duo.world, plan))["status"] == "gathering"
    duo.world.clock.tick(10)
    await planned(duo.world)
    duo.world.clock.tick(10)
    await planned(duo.world)
    assert fault.hits == 2
    duo.right.jira.faults.add(Fault("error_before", "POST", "^/search$", times=3))
    duo.right.jira.faults.add(Fault("rate_limited", "POST", "^/issueLink$", times=3))
    assert await apply(duo.world, plan) == {"P-2 P-3": "applied:read_back_ours"}


async def test_a_hub_is_written_no_faster_than_jira_takes(build: Build) -> None:
    """120 links on one issue: no attempt fails for coming too fast. Others stay, so that the
    guard does not hold what would empty the issue."""
    duo = await build(issues=153)
    for number in range(2, 153):
        duo.ann.link("P-1", "Blocks", f"P-{number}")
    await duo.world.settle()
    for number in range(2, 122):
        duo.ann.unlink("P-1", "Blocks", f"P-{number}")
    await duo.world.settle()
    plan = await ask(duo.world)
    assert len(await changes(duo.world, plan)) == 120
    duo.right.jira.limits.enabled = True
    duo.world.clock.tick(60)
    found = await apply(duo.world, plan)
    assert set(found.values()) == {"applied:read_back_ours"}
    assert duo.right.jira.limits.refused == 0


async def _mode(duo: Duo, mode: Mode) -> None:
    async with duo.world.database.transaction() as conn:
        await active_connection.lock(conn, duo.connection)
        await connections.set_mode(conn, duo.connection, mode)


async def _pause(duo: Duo, *, paused: bool) -> None:
    async with duo.world.database.transaction() as conn:
        await active_connection.lock(conn, duo.connection)
        at = duo.world.now() if paused else None
        await connections.set_paused(conn, duo.connection, at=at, by="test" if paused else None)
