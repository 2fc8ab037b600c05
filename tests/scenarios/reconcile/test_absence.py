"""Absence is never assumed: everything that only looks like a removal removes nothing."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.core.config import Mode, OnIssueDeleted
from app.core.errors import Anonymous
from app.sandbox import DeliveryFault, Fault
from app.sandbox.backup import back_up, restore
from app.store.config import connections
from app.sync.writes import confirm
from tests.scenarios.conftest import Build, Duo
from tests.support.engine import ACCOUNT

READ = "^/issue/bulkfetch$"


def hide(duo: Duo) -> None:
    duo.left.person("root").hide("P-2", ACCOUNT)


def forbid(duo: Duo) -> None:
    duo.left.jira.permit(ACCOUNT, "BROWSE_PROJECTS", "P", allowed=False)


def archive_issue(duo: Duo) -> None:
    duo.left.person("root").archive("P-2")


def archive_project(duo: Duo) -> None:
    found = duo.left.jira.project("P")
    assert found is not None
    found.archived = True


def expire(duo: Duo) -> None:
    """The token answers 200 as nobody."""
    for credential in duo.left.jira.credentials.values():
        credential.expired = True


def fail_reads(duo: Duo) -> None:
    duo.left.jira.faults.add(Fault("issue_error", "POST", READ))


def fail_lookups(duo: Duo) -> None:
    duo.left.jira.faults.add(Fault("error_before", "GET", "^/issueLink/"))


def become_another_jira(duo: Duo) -> None:
    duo.left.jira.cloud_id = "somebody-elses"


def lag(duo: Duo) -> None:
    """A listing that does not show yet, or still, what was written. The origin stays."""
    duo.left.jira.lag.links = 3600.0


@pytest.mark.parametrize(
    "trouble",
    [hide, forbid, archive_issue, archive_project, expire, fail_reads, become_another_jira],
)
async def test_an_origin_that_cannot_be_seen_is_not_gone(
    duo: Duo, trouble: Callable[[Duo], None]
) -> None:
    await duo.mirrored()
    trouble(duo)
    await duo.world.resync()
    for _ in range(8):
        await duo.world.look()
        duo.world.clock.tick(70)
    assert duo.right.jira.mutations.select("removed") == []
    assert len(duo.right.ours) == 1


@pytest.mark.parametrize(
    "trouble",
    [hide, forbid, archive_issue, expire, fail_reads, fail_lookups, become_another_jira],
)
async def test_nor_is_a_removal_believed_while_it_cannot_be_proven(
    duo: Duo, trouble: Callable[[Duo], None]
) -> None:
    """The origin is gone indeed, and still nobody could know."""
    made = await duo.mirrored()
    client = await duo.world.sites.client(duo.left.id)
    client._note(_dropping())
    duo.ann.unlink(made)
    trouble(duo)
    for _ in range(8):
        await duo.world.deliver()
        await duo.world.look()
        duo.world.clock.tick(70)
    assert len(duo.right.ours) == 1


def _dropping() -> Anonymous:
    return Anonymous("anonymous")


async def test_a_listing_that_lags_is_not_a_removal(duo: Duo) -> None:
    duo.left.jira.lag.links = 5.0
    made = duo.ann.link("P-1", "Blocks", "P-2")
    duo.world.clock.tick(6)
    await duo.world.settle()
    assert len(duo.right.ours) == 1
    duo.ann.unlink(made)
    again = duo.ann.link("P-1", "Blocks", "P-2")
    duo.world.clock.tick(5.5)
    duo.ann.unlink(again)
    last = duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.deliver()
    await duo.world.look()
    duo.world.clock.tick(6)
    await duo.world.settle()
    assert last.id in duo.left.jira.links


async def test_hidden_links_rest_and_come_back(duo: Duo) -> None:
    made = await duo.mirrored()
    root = duo.left.person("root")
    root.hide("P-2", ACCOUNT)
    await duo.world.resync()
    await duo.world.settle()
    assert await duo.world.states() == ["orphaned"]
    root.hide("P-2", ACCOUNT, hidden=False)
    await duo.world.resync()
    await duo.world.settle()
    assert await duo.world.states() == ["managed"]
    duo.ann.unlink(made)
    await duo.world.settle()
    assert not duo.right.jira.links


async def test_a_moved_issue_takes_its_twin_along(duo: Duo) -> None:
    """Out of scope and back: the rows rest, nothing is written, and all goes on."""
    made = await duo.mirrored()
    duo.ann.move("P-2", "X")
    await duo.world.settle()
    assert await duo.world.states() == ["suspended"]
    duo.ann.unlink(made)
    again = duo.ann.link("P-1", "Blocks", "X-1")
    await duo.world.settle()
    assert len(duo.right.ours) == 1
    duo.ann.move("X-1", "P")
    await duo.world.settle()
    (row,) = await duo.world.ledger()
    assert (row["state"], row["left_link_id"]) == ("managed", again.id)
    duo.ann.unlink(again)
    await duo.world.settle()
    assert not duo.right.jira.links


async def test_a_far_end_that_moved_unnoticed_is_unknown(duo: Duo) -> None:
    """Its event was lost: nobody has looked at P-2 since it left the scope."""
    made = await duo.mirrored()
    duo.left.jira.outbox.faults.append(DeliveryFault("lose", "jira:issue_updated"))
    duo.ann.move("P-2", "X")
    duo.ann.unlink(made)
    await duo.world.deliver()
    claimed = await duo.world.look(size=1)
    assert claimed == 1
    assert len(duo.right.ours) == 1


@pytest.mark.parametrize("policy", list(OnIssueDeleted))
async def test_an_origin_issue_deleted(build: Build, policy: OnIssueDeleted) -> None:
    duo = await build(on_issue_deleted=policy)
    await duo.mirrored()
    duo.left.person("root").delete("P-2")
    await duo.world.settle()
    if policy is OnIssueDeleted.KEEP:
        assert await duo.world.states() == ["orphaned"]
        assert len(duo.right.ours) == 1
    else:
        assert not duo.right.jira.links
        assert await duo.world.ledger() == []


async def test_deletion_needs_its_own_delivery(build: Build) -> None:
    """Without `jira:issue_deleted` a missing issue is hidden, as far as anybody knows."""
    duo = await build(on_issue_deleted=OnIssueDeleted.REMOVE)
    await duo.mirrored()
    duo.left.jira.outbox.faults.append(DeliveryFault("lose", "jira:issue_deleted"))
    duo.left.person("root").delete("P-2")
    await duo.world.settle()
    await duo.world.resync()
    await duo.world.settle()
    assert len(duo.right.ours) == 1


async def test_a_deleted_issue_on_the_mirrors_side_removes_nothing(build: Build) -> None:
    duo = await build(on_issue_deleted=OnIssueDeleted.REMOVE)
    made = await duo.mirrored()
    duo.right.person("root").delete("P-2")
    await duo.world.settle()
    assert made.id in duo.left.jira.links
    assert duo.left.jira.mutations.select(actor=ACCOUNT) == []


async def test_a_create_whose_issue_moves_before_it_is_confirmed(duo: Duo) -> None:
    """The old key leads to the same id: the confirmation must not wait for ever."""
    duo.right.jira.faults.add(Fault("drop_before", "POST", "^/issueLink$", times=1))
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.deliver()
    await duo.world.look()
    duo.bob.move("P-3", "X")
    end = duo.world.now() + timedelta(hours=2)
    while duo.world.now() < end and (due := await duo.world.next_due()) is not None:
        duo.world.clock.set(due + 1)
        await duo.world.deliver()
        await duo.world.look()
        await confirm.run_once(duo.world.ctx)
    rows = await duo.world.rows("SELECT state FROM intents WHERE connection_id = ANY($1::bigint[])")
    assert [row["state"] for row in rows] != ["open"]


async def test_linking_that_was_switched_off_within_the_minute(duo: Duo) -> None:
    """What `assure` remembers of half a minute ago says that it is on. Switched off, a Jira lists
    no link, answers 404 for each, and shows no link type; nobody has removed anything."""
    made = [await duo.mirrored("P-3", "Relates", "P-4"), await duo.mirrored()]
    await (await duo.world.ctx.sites.client(duo.left.id)).assure()
    switched_on = back_up(duo.left.jira)
    for link in made:
        duo.ann.unlink(link)
    duo.left.jira.outbox.pop_due()
    none = Fault("altered", "GET", "^/issueLinkType$", change=lambda _: b'{"issueLinkTypes": []}')
    duo.left.jira.faults.add(none)
    await duo.world.resync()
    await duo.world.look()
    await duo.world.look()
    restore(duo.left.jira, switched_on)
    none.times = 0
    assert len(duo.right.ours) == 2
    await duo.world.settle()
    assert not duo.right.jira.mutations.select("removed")


async def test_an_issue_that_came_back_from_a_backup_and_was_hidden(build: Build) -> None:
    """That it was deleted was told of a Jira that is no more. Whoever hides it deletes nothing."""
    duo = await build(on_issue_deleted=OnIssueDeleted.REMOVE)
    await duo.mirrored()
    backup = back_up(duo.left.jira)
    async with duo.world.database.transaction() as conn:
        await connections.set_mode(conn, duo.connection, Mode.CREATE_ONLY)
    duo.left.person("root").delete("P-2")
    await duo.world.settle()
    assert await duo.world.states() == ["orphaned"]
    restore(duo.left.jira, backup)
    duo.world.clock.tick(3600)
    await duo.world.resync()
    await duo.world.settle()
    assert await duo.world.states() == ["managed"]
    async with duo.world.database.transaction() as conn:
        await connections.set_mode(conn, duo.connection, Mode.LIVE)
    hide(duo)
    await duo.world.resync()
    await duo.world.settle()
    assert len(duo.right.ours) == 1


async def test_a_link_type_that_was_deleted(duo: Duo) -> None:
    """It has taken all of its links with it, and no person has removed one of them."""
    await duo.mirrored("P-3", "Relates", "P-4")
    made = await duo.mirrored()
    duo.ann.unlink(made)
    duo.left.jira.outbox.pop_due()
    del duo.left.jira.types[duo.left.jira.link_type("Blocks").id]
    duo.world.clock.tick(120)
    await duo.world.resync()
    await duo.world.settle()
    assert len(duo.right.ours) == 2
    assert await duo.world.states() == ["managed", "managed"]
