"""Links that another tool removed come back from Jira's own changelogs, unmanaged."""

from datetime import timedelta
from typing import Any

import pytest

from app.core.errors import PermanentError
from app.core.links import AccountId
from app.core.rescue import Culprit
from app.sandbox import Fault
from app.sync.recovery import rescue
from tests.scenarios.conftest import Duo
from tests.scenarios.recovery.restoring import (
    apply,
    changes,
    plan_of,
    planned,
    removed,
    results,
)
from tests.scenarios.recovery.test_restore import nothing_moves
from tests.support.crash import killed
from tests.support.engine import Station
from tests.support.mixed import ELSEWHERE


def account(station: Station, name: str) -> AccountId:
    user = station.jira.user(name)
    return AccountId(user.account_id if station.jira.flavour == "cloud" else user.key)


async def ask(duo: Duo, station: Station, name: str = "bot", hours: float = 1) -> int:
    """What *name* did there within the last hour."""
    now = duo.world.now()
    culprit = Culprit(
        account(station, name), now - timedelta(hours=hours), now + timedelta(minutes=1)
    )
    _, plan = await rescue.request(
        duo.world.database, station.id, culprit, asked={"site": station.access.name},
        requested_by="ann", now=now,
    )  # fmt: skip
    await planned(duo.world)
    return plan


async def unread(duo: Duo, plan: int) -> dict[str, Any]:
    found = await duo.world.rows(
        """SELECT r.plan_id, r.unread FROM restores r JOIN plans p ON p.id = r.plan_id
           WHERE p.connection_id = ANY($1::bigint[])"""
    )
    return next(dict(it["unread"]) for it in found if it["plan_id"] == plan)


def bot(station: Station) -> Any:
    station.jira.add_user("bot")
    return station.person("bot")


async def test_the_account_is_kept_as_a_keyed_hash(duo: Duo) -> None:
    """Promise 5: who removed the links is compared, and can be read by nobody."""
    tool = bot(duo.right)
    made = duo.right.person("ann").link("P-4", "Tests", "P-5")
    await duo.world.settle()
    tool.unlink(made)
    plan = await ask(duo, duo.right)
    assert len(await changes(duo.world, plan)) == 1
    stored = await duo.world.rows("SELECT asked FROM restores WHERE $1::bigint[] IS NOT NULL")
    assert account(duo.right, "bot") not in str(stored)


@pytest.mark.parametrize("side", ["left", "right"])
async def test_what_a_tool_removed_comes_back(duo: Duo, side: str) -> None:
    """Links of people that were never in any ledger, on Cloud and on Data Center."""
    station: Station = getattr(duo, side)
    tool, ann = bot(station), station.person("ann")
    made = [ann.link("P-4", name, "P-5") for name in ("Blocks", "Tests", "Relates")]
    made.append(ann.link("P-5", "Blocks", "P-4"))
    kept = ann.link("P-5", "Tests", "P-4")
    await duo.world.settle()
    before = station.jira.triples_of()
    for link in made:
        tool.unlink(link)
    duo.world.clock.tick(5)
    ann.unlink(kept)
    await duo.world.settle()
    plan = await ask(duo, station)
    assert (await plan_of(duo.world, plan))["status"] == "held"
    assert len(await changes(duo.world, plan)) == 4
    await apply(duo.world, plan)
    assert station.jira.triples_of() == before - {("P-5", "Tests", "P-4")}
    assert await duo.world.states() == []
    rows = [it for it in await duo.world.audit() if it["cause_kind"] == "rescue"]
    assert {it["managed"] for it in rows} == {False}
    await nothing_moves(duo)


async def test_our_mirror_comes_back_as_our_row_says(duo: Duo) -> None:
    """It was paused, so the row still says that the mirror is ours."""
    origin = await duo.mirrored()
    tool = bot(duo.right)
    duo.right.jira.outbox.faults.clear()
    tool.unlink(duo.mirror)
    duo.right.jira.outbox.pop_due()
    plan = await ask(duo, duo.right)
    await apply(duo.world, plan)
    await duo.world.settle()
    assert duo.right.jira.triples_of() == {("P-2", "Blocks", "P-3")}
    assert await duo.world.states() == ["managed"]
    await nothing_moves(duo)
    duo.ann.unlink(origin)
    await duo.world.settle()
    assert not duo.right.jira.links


async def test_moved_ends_long_histories_and_other_projects(duo: Duo) -> None:
    """Keys change, Cloud cuts bulk changelogs at forty, and a link may lead out of scope."""
    tool, ann, root = bot(duo.left), duo.ann, duo.left.person("root")
    outside = root.create(ELSEWHERE, "Outside").key
    ann.link("P-4", "Blocks", "P-5")
    ann.link("P-4", "Tests", outside)
    await duo.world.settle()
    tool.unlink("P-4", "Blocks", "P-5")
    tool.unlink("P-4", "Tests", outside)
    for number in range(60):
        root.edit("P-4", summary=f"Busy {number}")
    moved = root.move("P-5", ELSEWHERE)
    await duo.world.settle()
    plan = await ask(duo, duo.left)
    assert await apply(duo.world, plan) == {
        f"P-4 {moved}": "applied:read_back_ours",
        f"P-4 {outside}": "applied:read_back_ours",
    }


async def test_what_cannot_come_back_says_why(duo: Duo) -> None:
    tool, ann, root = bot(duo.left), duo.ann, duo.left.person("root")
    gone = root.create("P", "Gone").key
    for to in ("P-4", gone, "P-3"):
        ann.link("P-5", "Tests", to)
    await duo.world.settle()
    for to in ("P-4", gone, "P-3"):
        tool.unlink("P-5", "Tests", to)
    root.archive("P-4")
    root.delete(gone)
    duo.world.clock.tick(5)
    ann.link("P-5", "Tests", "P-3")
    await duo.world.settle()
    plan = await ask(duo, duo.left)
    assert await results(duo.world, plan) == {"P-5 P-4": "skipped:archived"}
    assert await unread(duo, plan) == {"issue_not_seen": 1, "changed_since": 1}


async def test_only_the_window_and_only_the_account(duo: Duo) -> None:
    tool = bot(duo.left)
    duo.ann.link("P-4", "Tests", "P-5")
    tool.unlink("P-4", "Tests", "P-5")
    duo.ann.link("P-4", "Blocks", "P-5")
    duo.ann.unlink("P-4", "Blocks", "P-5")
    await duo.world.settle()
    for name, hours in (("bob", 1.0), ("bot", 0.0)):
        duo.world.clock.tick(1)
        plan = await ask(duo, duo.left, name, hours)
        assert await changes(duo.world, plan) == []
        assert (await plan_of(duo.world, plan))["status"] == "applied"
    assert len(await changes(duo.world, await ask(duo, duo.left))) == 1


async def test_what_we_removed_is_restored_and_not_rescued(duo: Duo) -> None:
    with pytest.raises(PermanentError, match="own_account"):
        await ask(duo, duo.left, "twinlink")


async def test_nor_what_an_account_of_ours_removed_before_it_was_replaced(duo: Duo) -> None:
    await removed(duo)
    duo.right.jira.add_user("service")
    service = account(duo.right, "service")
    before = duo.world.now().isoformat()
    duo.world.clock.tick(60)
    await duo.world.execute(
        """UPDATE sites SET account_id = $2, account_since = $3, former_accounts =
               jsonb_build_array(jsonb_build_object('account', account_id, 'since', NULL,
                   'until', $4::text))
           WHERE id = $1""",
        duo.right.id,
        service,
        duo.world.now(),
        before,
    )
    with pytest.raises(PermanentError, match="own_account"):
        await ask(duo, duo.right, "twinlink")


async def test_a_scan_that_dies_begins_anew(duo: Duo) -> None:
    tool = bot(duo.left)
    duo.ann.link("P-4", "Tests", "P-5")
    tool.unlink("P-4", "Tests", "P-5")
    await duo.world.settle()
    async with killed(duo.left.jira, "POST", "^/issue/bulkfetch$", acted=True):
        await ask(duo, duo.left)
    duo.left.jira.faults.add(Fault("error_before", "POST", "^/search/jql$", times=1))
    for _ in range(3):
        duo.world.clock.tick(200)
        await planned(duo.world)
    [found] = await duo.world.rows(
        "SELECT * FROM plans WHERE kind = 'rescue' AND connection_id = ANY($1::bigint[])"
    )
    assert found["status"] == "held"
    assert len(await changes(duo.world, found["id"])) == 1


async def test_a_localised_changelog_is_said_to_be_unread(duo: Duo) -> None:
    duo.left.jira.quirks.link_text = "Vorgang {key}: Verknuepfung"
    tool = bot(duo.left)
    duo.ann.link("P-4", "Tests", "P-5")
    tool.unlink("P-4", "Tests", "P-5")
    await duo.world.settle()
    plan = await ask(duo, duo.left)
    assert await changes(duo.world, plan) == []
    assert await unread(duo, plan) == {"wording_unknown": 2}
