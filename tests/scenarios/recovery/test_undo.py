"""Take back what was made: managed links only, under the guard, and it stays taken back."""

import pytest

from app.core.config import ConnectionConfig, GuardLimits, Mode, WindowLimits
from app.core.ledger import State
from app.sandbox import Fault
from app.store.config import active_connection, connections
from app.store.recovery.restore_select import Filters
from app.sync.recovery import restore
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.recovery.restoring import (
    apply,
    approve,
    ask,
    changes,
    finish,
    plan_of,
    results,
)
from tests.scenarios.recovery.test_restore import nothing_moves
from tests.support.engine import ACCOUNT

TIGHT = GuardLimits(WindowLimits(0.01, 10, 10), WindowLimits(0.05, 20, 20))


async def test_a_mirror_goes_and_its_origin_does_not_bring_it_back(duo: Duo) -> None:
    await duo.mirrored()
    plan = await ask(duo.world, "create")
    assert await apply(duo.world, plan) == {"P-2 P-3": "applied:deleted"}
    assert duo.left.jira.triples_of() == {("P-1", "Blocks", "P-2")}
    assert not duo.right.jira.links
    assert await duo.world.states() == ["detached"]
    assert [it["verified"] for it in await changes(duo.world, plan)] == [True]
    await nothing_moves(duo)


async def test_what_was_undone_can_be_put_back(duo: Duo) -> None:
    """And is managed again, for its origin is there."""
    await duo.mirrored()
    await apply(duo.world, await ask(duo.world, "create"))
    await apply(duo.world, await ask(duo.world))
    await duo.world.settle()
    assert duo.right.jira.triples_of() == {("P-2", "Blocks", "P-3")}
    assert await duo.world.states() == ["managed"]
    await nothing_moves(duo)


async def test_only_what_is_managed_goes(duo: Duo) -> None:
    """A link that stood there, one that somebody made anew, and one of unknown authorship."""
    duo.bob.link("P-2", "Relates", "P-3")
    duo.ann.link("P-1", "Relates", "P-2")
    await duo.mirrored("P-1", "Blocks", "P-2")
    await duo.mirrored("P-2", "Blocks", "P-3")
    await duo.mirrored("P-3", "Blocks", "P-1")
    anew = next(it for it in duo.right.ours if _ends(duo, it) == ("P-2", "P-3"))
    duo.bob.unlink(anew)
    duo.bob.link("P-2", "Blocks", "P-3")
    await duo.world.settle()
    unsure = next(it for it in duo.right.ours if _ends(duo, it) == ("P-3", "P-1"))
    await duo.world.execute(
        "UPDATE ledger SET authorship = 'unknown' WHERE right_link_id = $1", unsure
    )
    found = await apply(duo.world, await ask(duo.world, "create"))
    assert found == {
        "P-2 P-3": "skipped:not_managed",
        "P-3 P-1": "skipped:authorship_unknown",
        "P-1 P-2": "applied:deleted",
    }
    assert len(duo.right.jira.mutations.select("removed", ACCOUNT)) == 1


def _ends(duo: Duo, number: int) -> tuple[str, str]:
    link, issues = duo.right.jira.links[number], duo.right.jira.issues
    return issues[link.source].key, issues[link.destination].key


async def test_a_link_that_changed_after_the_approval_stays(duo: Duo) -> None:
    """Read once more right before the DELETE: what is not ours any more is nobody's to take."""
    await duo.mirrored()
    plan = await ask(duo.world, "create")
    await approve(duo.world, plan)
    number = duo.mirror.id

    def act() -> None:
        duo.bob.unlink(number)
        duo.bob.link("P-2", "Blocks", "P-3")

    race = duo.right.jira.faults.add(Fault("before", "GET", "^/issueLink/", times=1, action=act))
    await finish(duo.world, plan)
    assert race.hits == 1
    assert await results(duo.world, plan) == {"P-2 P-3": "skipped:not_found"}
    assert not duo.right.jira.mutations.select("removed", ACCOUNT)
    assert len(duo.right.jira.links) == 1


async def many(build: Build, links: int, **more: object) -> Duo:
    duo = await build(issues=links + 1, guard=TIGHT, **more)
    for number in range(1, links + 1):
        duo.ann.link(f"P-{number}", "Blocks", f"P-{number + 1}")
    await duo.world.settle()
    assert len(duo.right.ours) == links
    return duo


async def test_the_windows_hold_it_and_what_they_leave_over_is_decided_apart(build: Build) -> None:
    duo = await many(build, 25)
    plan = await ask(duo.world, "create")
    found = await apply(duo.world, plan)
    assert len(duo.right.jira.mutations.select("removed", ACCOUNT)) == 10
    assert sum(it == "applied:deleted" for it in found.values()) == 10
    assert sum(it.startswith("held:") for it in found.values()) == 15
    [left_over] = {int(it.partition(":")[2]) for it in found.values() if it.startswith("held:")}
    rest = await plan_of(duo.world, left_over)
    assert (rest["kind"], rest["status"]) == ("undo", "held")
    async with duo.world.database.connection() as conn:
        state = await active_connection.load(conn, duo.connection)
    assert state is not None
    assert state.guard_tripped_at is not None
    await nothing_moves(duo)
    assert set((await apply(duo.world, left_over)).values()) == {"applied:deleted"}
    assert not duo.right.jira.links
    async with duo.world.database.connection() as conn:
        state = await active_connection.load(conn, duo.connection)
    assert state is not None
    assert state.guard_tripped_at is None, "the last held plan is decided: armed again"
    await nothing_moves(duo)


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.CREATE_ONLY])
async def test_the_modes_that_remove_nothing(duo: Duo, mode: Mode) -> None:
    await duo.mirrored()
    plan = await ask(duo.world, "create")
    async with duo.world.database.transaction() as conn:
        await active_connection.lock(conn, duo.connection)
        await connections.set_mode(conn, duo.connection, mode)
    assert await apply(duo.world, plan) == {"P-2 P-3": f"skipped:mode_{mode}"}
    assert len(duo.right.jira.links) == 1


async def test_a_review_is_the_approval(build: Build) -> None:
    duo = await build(mode=Mode.REVIEW)
    await duo.mirrored()
    assert await apply(duo.world, await ask(duo.world, "create")) == {"P-2 P-3": "applied:deleted"}


async def test_another_connections_origin_keeps_the_link(duo: Duo) -> None:
    """Management moves to it, without a DELETE."""
    await duo.mirrored()
    [row] = await duo.world.ledger()
    other = await duo.world.connect("left", "right", (await _config(duo)), Mode.LIVE)
    for one, to in (("P-1", "P-2"), ("P-2", "P-3")):
        await duo.world.pair(other, ("left", one), ("right", to))
    await duo.world.settle()
    assert {it["state"] for it in await duo.world.ledger(other)} == {State.PREEXISTING.value}
    plan = await ask(duo.world, "create", Filters(link_ids=[row["right_link_id"]]))
    assert await apply(duo.world, plan) == {"P-2 P-3": "skipped:moved"}
    assert len(duo.right.ours) == 1
    assert {it["state"] for it in await duo.world.ledger(other)} == {State.MANAGED.value}
    await duo.world.resync()
    await duo.world.settle()
    await nothing_moves(duo)


async def _config(duo: Duo) -> ConnectionConfig:
    async with duo.world.database.connection() as conn:
        state = await active_connection.load(conn, duo.connection)
    assert state is not None
    return state.config


async def revise(duo: Duo) -> int:
    """The same again, as a revision of its own."""
    async with duo.world.database.transaction() as conn:
        state = await active_connection.lock(conn, duo.connection)
        assert state is not None
        made: int = await connections.append_revision(
            conn, duo.connection, state.config, author="x", note="", now=duo.world.now()
        )
    return made


async def test_a_revision_is_undone_both_ways(duo: Duo) -> None:
    """What it removed comes back, what it made goes, what it only touched stays."""
    kept = await duo.mirrored("P-1", "Blocks", "P-2")
    lost = await duo.mirrored("P-2", "Blocks", "P-3")
    revision = await revise(duo)
    duo.ann.unlink(kept)
    await duo.world.settle()
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    duo.ann.unlink(lost)
    await duo.mirrored("P-1", "Relates", "P-3")
    brief = await duo.mirrored("P-2", "Relates", "P-3")
    duo.ann.unlink(brief)
    await duo.world.settle()
    before = duo.right.jira.triples_of()
    assert before == {("P-2", "Blocks", "P-3"), ("P-2", "Relates", "P-1")}
    async with duo.world.database.transaction() as conn:
        plan = await restore.build_undo(
            conn, duo.connection, revision, requested_by="ann", now=duo.world.now()
        )
    assert plan is not None
    while await restore.run_once(duo.world.ctx):
        pass
    assert {
        (it["operation"], it["source_key"], it["destination_key"], it["result"])
        for it in await changes(duo.world, plan)
    } == {
        ("create", "P-3", "P-1", None),
        ("create", "P-2", "P-3", "skipped:already_there"),
        ("remove", "P-2", "P-1", None),
        ("remove", "P-3", "P-1", "skipped:not_managed"),
    }
    await apply(duo.world, plan)
    await duo.world.settle()
    assert duo.right.jira.triples_of() == {("P-2", "Blocks", "P-3"), ("P-3", "Blocks", "P-1")}
    rows = await duo.world.audit()
    assert {it["cause_kind"] for it in rows if it["plan_id"] == plan} == {"rollback"}
    await nothing_moves(duo)


async def test_a_revision_that_wrote_nothing_has_nothing_to_undo(duo: Duo) -> None:
    await duo.mirrored()
    revision = await revise(duo)
    async with duo.world.database.transaction() as conn:
        assert (
            await restore.build_undo(
                conn, duo.connection, revision, requested_by="ann", now=duo.world.now()
            )
            is None
        )
    assert await duo.world.rows("SELECT 1 FROM plans WHERE connection_id = ANY($1::bigint[])") == []
