"""Whose a link is, asked right before its DELETE: what may make the answer hard, and does not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.core.errors import PermanentError
from app.core.links import AccountId
from app.core.own_accounts import Tenure
from app.jira.http.access import BearerAuth
from app.sandbox import Fault, token_of
from app.sandbox.backup import back_up, restore
from app.store.guard import held_plans as plans_held
from app.sync.guard import held_plans
from app.sync.monitor import verify
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.guard.guarding import planned
from tests.support.engine import ACCOUNT


async def removed(duo: Duo, name: str = "Blocks") -> bool:
    made = await duo.mirrored("P-1", name, "P-2")
    duo.ann.unlink(made)
    await duo.world.settle()
    return not duo.right.jira.links


@pytest.mark.parametrize("seconds", [-2, -0.3, 0.3, 2])
async def test_clocks_of_nodes_that_differ(duo: Duo, seconds: float) -> None:
    """The node that writes the changelog is not the one that answers the reads."""
    made = await duo.mirrored()
    for issue in duo.right.jira.issues.values():
        for history in issue.history:
            history.at += int(seconds * 1000)
    await duo.world.execute("UPDATE ledger SET authorship = 'unknown', version = version + 1")
    duo.ann.unlink(made)
    await duo.world.settle()
    assert not duo.right.jira.links


async def test_what_a_person_made_is_never_ours_whatever_the_clocks(duo: Duo) -> None:
    made = await duo.mirrored()
    mirror = duo.mirror
    await _retold(duo, "bob")
    duo.ann.unlink(made)
    await duo.world.settle()
    assert mirror.id in duo.right.jira.links
    assert not duo.right.jira.mutations.select("removed", ACCOUNT)
    assert [row["authorship"] for row in await duo.world.ledger()] == ["unknown"]


async def test_an_author_that_jira_does_not_name_is_held(duo: Duo) -> None:
    made = await duo.mirrored()
    await _retold(duo, "deleted")
    duo.ann.unlink(made)
    await duo.world.settle()
    assert len(duo.right.jira.links) == 1
    (held,) = await duo.world.held()
    assert held["reason"] == "authorship_unknown"
    (row,) = await duo.world.ledger()
    assert (row["state"], row["authorship"]) == ("managed", "unknown")


async def test_two_owners_may_remove_what_nobody_is_known_to_have_made(duo: Duo) -> None:
    made = await duo.mirrored()
    await _retold(duo, "deleted")
    duo.ann.unlink(made)
    await duo.world.settle()
    await planned(duo)
    (plan,) = await duo.world.rows(
        "SELECT id FROM plans WHERE connection_id = ANY($1::bigint[]) AND status = 'held'"
    )
    async with duo.world.database.connection() as conn:
        digest = (await plans_held.value(conn, plan["id"])).digest

    async def approve(by: str) -> None:
        now = duo.world.now()
        await held_plans.approve(duo.world.database, plan["id"], digest, by=by, note="", now=now)
        await duo.world.settle()

    await approve("ann")
    assert len(duo.right.jira.links) == 1, "one of two"
    with pytest.raises(PermanentError, match="second_owner"):
        await approve("ann")
    await approve("bob")
    assert not duo.right.jira.links
    intended = [row for row in await duo.world.audit() if row["status"] == "intended"]
    assert intended[-1]["operation"] == "remove"
    assert intended[-1]["evidence"]["authorship"] == "unknown, two owners decided"


async def test_nor_does_an_origin_lost_without_a_trace_stop_two_owners(duo: Duo) -> None:
    """Its origin went with a backup, and its author is not known: two owners decide both."""
    backup = back_up(duo.left.jira)
    await duo.mirrored()
    await _retold(duo, "deleted")
    duo.world.clock.tick(3600)
    restore(duo.left.jira, backup)
    await duo.world.execute("UPDATE ledger SET authorship = 'unknown', version = version + 1")
    await duo.world.resync()
    await duo.world.settle()
    await planned(duo)
    (plan,) = await duo.world.rows(
        "SELECT id FROM plans WHERE connection_id = ANY($1::bigint[]) AND status = 'held'"
    )
    async with duo.world.database.connection() as conn:
        digest = (await plans_held.value(conn, plan["id"])).digest
    for by in ("ann", "bob"):
        assert len(duo.right.jira.links) == 1
        now = duo.world.now()
        await held_plans.approve(duo.world.database, plan["id"], digest, by=by, note="", now=now)
        await duo.world.settle()
    assert not duo.right.jira.links


async def test_two_owners_cannot_remove_what_another_made(duo: Duo) -> None:
    """Known by the time of the DELETE: the approval was for a link of an unknown author."""
    made = await duo.mirrored()
    await _retold(duo, "deleted")
    duo.ann.unlink(made)
    await duo.world.settle()
    await planned(duo)
    (plan,) = await duo.world.rows(
        "SELECT id FROM plans WHERE connection_id = ANY($1::bigint[]) AND status = 'held'"
    )
    async with duo.world.database.connection() as conn:
        digest = (await plans_held.value(conn, plan["id"])).digest
    await _retold(duo, "bob")
    for by in ("ann", "bob"):
        await held_plans.approve(
            duo.world.database, plan["id"], digest, by=by, note="", now=duo.world.now()
        )
    await duo.world.settle()
    assert len(duo.right.jira.links) == 1
    assert await duo.world.states() in (["preexisting"], ["detached"])


async def _retold(duo: Duo, author: str) -> None:
    for issue in duo.right.jira.issues.values():
        for history in issue.history:
            if any(item.field == "Link" for item in history.items):
                history.author = author


async def test_a_search_that_shows_no_changelogs(duo: Duo) -> None:
    """Data Center: whether its search honours the expansion is not proven. Then each issue says."""
    strip = duo.right.jira.faults.add(
        Fault("altered", "POST", "^/search$", change=lambda it: it.replace(b'"changelog"', b'"x"'))
    )
    assert await removed(duo)
    assert strip.hits


async def test_a_key_that_changed(duo: Duo) -> None:
    """As when its project is renamed: old entries keep the old key, which leads to the issue."""
    made = await duo.mirrored()
    moved = duo.bob.move("P-3", "X")
    assert duo.bob.move(moved, "P") != "P-3"
    await duo.world.settle()
    await duo.world.resync()
    await duo.world.settle()
    duo.ann.unlink(made)
    await duo.world.settle()
    assert not duo.right.jira.links


async def test_a_long_history_is_read_whole(build: Build) -> None:
    duo = await build()
    other = duo.bob.link("P-2", "Blocks", "P-3")
    await duo.world.settle()
    (mirror,) = duo.left.ours
    for key in ("P-1", "P-2"):
        for number in range(60):
            duo.ann.edit(key, summary=f"Version {number}")
    duo.world.clock.tick(timedelta(days=1).total_seconds())
    duo.bob.unlink(other)
    await duo.world.settle()
    assert mirror not in duo.left.jira.links


async def test_a_mirror_that_a_former_account_made_is_ours(duo: Duo) -> None:
    """The site has new credentials, of another account. No alarm follows from it either."""
    made = await duo.mirrored()
    jira, station = duo.right.jira, duo.right
    jira.add_user("service")
    now = duo.world.now()
    former = Tenure(AccountId(jira.user(ACCOUNT).key), None, now)
    station.access = replace(
        station.access,
        auth=BearerAuth(token_of(jira, "service")),
        account_id=AccountId(jira.user("service").key),
        account_since=now,
        former_accounts=(former,),
        version=2,
    )
    duo.world.ctx = duo.world.worker()
    duo.world.clock.tick(3600)
    duo.ann.unlink(made)
    await duo.world.settle()
    assert not jira.links
    assert [it.actor for it in jira.mutations.select("removed")] == ["service"]
    await duo.world.deliver()
    assert await verify.run_once(duo.world.ctx) == 0


async def test_a_type_that_was_renamed(duo: Duo) -> None:
    """No check of the site was made since: old entries say the old word, new ones the new."""
    before = await duo.mirrored()
    kind = duo.right.jira.link_type("Blocks")
    kind.name, kind.outward, kind.inward = "Stops", "stops", "is stopped by"
    after = duo.ann.link("P-2", "Blocks", "P-3")
    await duo.world.settle()
    assert len(duo.right.ours) == 2
    duo.ann.unlink(before)
    duo.ann.unlink(after)
    duo.ann.link("P-1", "Relates", "P-3")
    await duo.world.settle()
    assert duo.right.jira.triples_of() == {("P-2", "Relates", "P-1")}
