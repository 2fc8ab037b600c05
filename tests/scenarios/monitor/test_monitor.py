"""The monitor: what our account removed past our code is found, once, and nothing else is."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from app.core.errors import TransientError
from app.sandbox import Fault, Link, ManualClock
from app.store.monitor import progress as stored
from app.sync.monitor import verify
from app.sync.resync import poll
from app.sync.upkeep.gauges import Gauges
from app.sync.writes import author_proof
from app.telemetry import Metrics
from tests.scenarios.conftest import TWINS, Build, Duo
from tests.support import mixed
from tests.support.crash import Died, killed
from tests.support.engine import ACCOUNT, Lab, Station


def plant(station: Station, link: Link) -> None:
    """Our account removes a link, and none of our code knows."""
    station.person(ACCOUNT).unlink(link)


def exported(duo: Duo, name: str, **labels: str) -> float | None:
    return duo.world.ctx.metrics.registry.get_sample_value(f"twinlink_{name}", labels)


def counted(duo: Duo) -> float:
    """The service level indicator."""
    value = exported(duo, "unmanaged_links_removed_total")
    assert value is not None, "exported from the start"
    return value


async def waiting(duo: Duo) -> float | None:
    """As the API exports it, which refreshes the installation's gauges on metrics of its own."""
    ctx = replace(duo.world.ctx, metrics=Metrics())
    await Gauges(ctx).run_once()
    return ctx.metrics.registry.get_sample_value("twinlink_monitor_waiting")


def judged(duo: Duo, verdict: str) -> float:
    return exported(duo, "monitor_removals_total", verdict=verdict) or 0.0


async def paused(duo: Duo) -> list[str | None]:
    rows = await duo.world.rows("SELECT * FROM connections WHERE id = ANY($1::bigint[])")
    return [row["paused_by"] for row in rows]


async def incidents(duo: Duo) -> list[tuple[str, str, dict[str, Any]]]:
    rows = await duo.world.rows(
        "SELECT kind, impact, facts FROM incidents WHERE $1::bigint[] IS NOT NULL ORDER BY id"
    )
    return [(row["kind"], row["impact"], row["facts"]) for row in rows]


async def untouched(duo: Duo) -> bool:
    return not counted(duo) and not await incidents(duo) and await paused(duo) == [None]


async def resume(duo: Duo) -> None:
    await duo.world.execute("UPDATE connections SET paused_at = NULL, paused_by = NULL")


async def poll_now(duo: Duo) -> None:
    await duo.world.execute("UPDATE sites SET poll_due_at = to_timestamp(0)")
    assert await poll.run_once(duo.world.ctx) == 2


async def look(duo: Duo) -> int:
    await duo.world.deliver()
    return await verify.run_once(duo.world.ctx)


async def read_by(duo: Duo) -> None:
    """Let every lease and back-off pass."""
    duo.world.clock.tick(600)


async def test_a_planted_removal_is_found_and_stops_the_connection(duo: Duo) -> None:
    link = duo.bob.link("P-4", "Tests", "P-5")
    plant(duo.right, link)
    assert await look(duo) == 1
    assert counted(duo) == 1
    assert await paused(duo) == ["monitor"]
    ((kind, impact, facts),) = await incidents(duo)
    assert (kind, impact) == ("unmanaged_removed", "critical")
    assert (facts["verdicts"], facts["links"]) == ("unaudited", 1)
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.deliver()
    await duo.world.look()
    assert len(duo.right.jira.links) == 0, "paused: nothing is written"


@pytest.mark.parametrize("side", ["left", "right"])
async def test_without_any_delivery_one_poll_finds_it(duo: Duo, side: str) -> None:
    station = duo.left if side == "left" else duo.right
    link = station.person("ann").link("P-4", "Blocks", "P-5")
    await duo.world.settle()
    await poll_now(duo)
    assert await look(duo) == 0
    plant(station, link)
    station.jira.outbox.pop_due()
    assert await look(duo) == 0, "nobody told of it"
    await poll_now(duo)
    assert await look(duo) == 1
    assert await paused(duo) == ["monitor"]


async def test_what_we_remove_by_right_is_accounted_for(duo: Duo) -> None:
    made = await duo.mirrored()
    duo.ann.unlink(made)
    await duo.world.settle()
    await poll_now(duo)
    assert await look(duo) == 0
    assert not duo.right.jira.links
    assert judged(duo, "accounted") == 2, "seen from both ends"
    assert await untouched(duo)


async def test_a_managed_link_removed_past_our_code(duo: Duo) -> None:
    """Ours, and yet nobody wrote down why."""
    await duo.mirrored()
    plant(duo.right, duo.mirror)
    assert await look(duo) == 1
    assert judged(duo, "unaudited") == 1


async def test_a_link_of_a_persons_that_our_code_takes_for_ours(
    duo: Duo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger is wrong, the proof of authorship is broken, the audit is complete: only Jira's
    changelog can tell. The monitor must not ask any of those."""
    monkeypatch.setattr(author_proof, "authorship_now", lambda *_: "ours")
    made = await duo.mirrored()
    theirs = duo.mirror
    duo.bob.unlink(theirs)
    duo.world.clock.tick(1)
    again = duo.bob.link("P-2", "Blocks", "P-3")
    duo.right.jira.outbox.pop_due()
    await duo.world.execute("UPDATE ledger SET right_link_id = $1, version = version + 1", again.id)
    duo.ann.unlink(made)
    await duo.world.settle()
    assert again.id not in duo.right.jira.links, "the engine believed its ledger"
    assert [row["status"] for row in await duo.world.audit()][-2:] == ["intended", "applied"]
    assert await look(duo) == 1
    assert judged(duo, "unmanaged") == 1
    assert await paused(duo) == ["monitor"]


async def test_an_audit_that_says_it_did_not_act(duo: Duo) -> None:
    """Jira shows that it did: the intent counts as failed, and the link is gone by our hand."""
    made = await duo.mirrored()
    mirror = duo.mirror
    duo.right.jira.faults.add(Fault("error_before", "DELETE", "^/issueLink/", status=403, times=1))
    duo.ann.unlink(made)
    await duo.world.deliver()
    await duo.world.look()
    assert [row["status"] for row in await duo.world.audit()][-1] == "failed"
    plant(duo.right, mirror)
    assert await look(duo) == 1
    assert judged(duo, "denied") == 1


async def test_removals_of_other_people_are_not_ours_to_judge(duo: Duo) -> None:
    await duo.mirrored()
    duo.bob.unlink(duo.mirror)
    duo.ann.unlink(duo.ann.link("P-4", "Tests", "P-5"))
    await duo.world.settle()
    assert await look(duo) == 0
    assert await untouched(duo)


async def test_duplicates_and_late_news_change_nothing(duo: Duo) -> None:
    """A person resumed: what is known is not found again by the poll, nor by a late delivery."""
    link = duo.bob.link("P-4", "Tests", "P-5")
    plant(duo.right, link)
    held_back = duo.right.jira.outbox.pop_due()
    await poll_now(duo)
    assert await look(duo) == 1
    await resume(duo)
    for delivery in [*held_back, *held_back]:
        headers = duo.right.jira.outbox.headers(delivery)
        sender = await duo.world.inbox.sender(duo.right.access.name)
        await duo.world.inbox.receive(
            sender, delivery.body, signature=headers["X-Hub-Signature"], identifier=None
        )
    assert await look(duo) == 0
    again = "UPDATE monitor_issues SET generation = generation + 1, judged_until = NULL"
    await duo.world.execute(again)
    assert await look(duo) == 0, "although every issue was read from its beginning"
    assert (counted(duo), await paused(duo), len(await incidents(duo))) == (1, [None], 1)


async def test_a_second_one_is_a_new_one(duo: Duo) -> None:
    for _ in range(2):
        link = duo.bob.link("P-4", "Tests", "P-5")
        duo.world.clock.tick(1)
        plant(duo.right, link)
        assert await look(duo) == 1
        assert await paused(duo) == ["monitor"]
        await resume(duo)
        duo.world.clock.tick(30)
    assert (counted(duo), len(await incidents(duo))) == (2, 1)


@pytest.mark.parametrize("text", ["Diese Aufgabe {wording} {key}", "(no words that we know) {key}"])
async def test_in_any_language(duo: Duo, text: str) -> None:
    made = await duo.mirrored()
    for station in (duo.left, duo.right):
        station.jira.quirks.link_text = text
    duo.ann.unlink(made)
    await duo.world.settle()
    assert not duo.right.jira.links
    assert await look(duo) == 0
    assert await untouched(duo)
    plant(duo.right, duo.bob.link("P-2", "Blocks", "P-3"))
    assert await look(duo) == 1


async def test_an_author_that_cannot_be_told_is_asked_of_a_person(duo: Duo) -> None:
    """Written down, and by now Jira names nobody as the one who made it."""
    made = await duo.mirrored()
    duo.ann.unlink(made)
    await duo.world.settle()
    for issue in duo.right.jira.issues.values():
        for history in issue.history:
            if any(it.field == "Link" and it.after is not None for it in history.items):
                history.author = "deleted"
    assert await look(duo) == 0
    ((kind, impact, facts),) = await incidents(duo)
    assert (kind, impact, facts["verdicts"]) == ("removal_unclear", "major", "unclear")
    assert (counted(duo), await paused(duo)) == (0, [None])


def edit(station: Station, times: int, *keys: str) -> None:
    """So much happens to issues that a bulk answer cuts their changelogs off."""
    for key in keys:
        for number in range(times):
            station.person("ann").edit(key, summary=f"Version {number}")


async def test_whose_a_link_was_is_read_from_the_whole_changelog(duo: Duo) -> None:
    made = duo.bob.link("P-2", "Blocks", "P-3")
    await duo.world.settle()
    (mirror,) = duo.left.ours
    edit(duo.left, 150, "P-1", "P-2")
    duo.bob.unlink(made)
    await duo.world.settle()
    assert mirror not in duo.left.jira.links
    assert await look(duo) == 0
    assert judged(duo, "accounted") == 2
    assert duo.left.jira.requests.count("GET", "/issue/{issue}/changelog") >= 4
    assert await untouched(duo)


async def test_whose_a_link_was_may_stand_before_what_was_judged(duo: Duo) -> None:
    """The last forty histories reach back far enough to find the removal, but not to its maker."""
    made = duo.bob.link("P-2", "Blocks", "P-3")
    await duo.world.settle()
    edit(duo.left, 60, "P-1", "P-2")
    for key in ("P-1", "P-2"):
        duo.ann.link(key, "Tests", "P-5")
    await poll_now(duo)
    duo.world.clock.tick(3600)
    await duo.world.execute("UPDATE monitor_issues SET generation = generation + 1")
    await look(duo)
    duo.world.clock.tick(3600)
    whole = duo.left.jira.requests.count("GET", "/issue/{issue}/changelog")
    duo.bob.unlink(made)
    await duo.world.settle()
    assert await look(duo) == 0
    assert judged(duo, "accounted") == 2
    # Two by the last proof before the DELETE, two by the monitor.
    assert duo.left.jira.requests.count("GET", "/issue/{issue}/changelog") == whole + 4
    assert await untouched(duo)


async def test_an_issue_that_has_moved_since_its_link_was_made(duo: Duo) -> None:
    """Its link was made under another key than it was removed under."""
    made = await duo.mirrored()
    moved = duo.bob.move("P-3", "X")
    assert duo.bob.move(moved, "P") != "P-3"
    await duo.world.settle()
    await duo.world.resync()
    await duo.world.settle()
    duo.ann.unlink(made)
    await duo.world.settle()
    assert not duo.right.jira.links
    assert await look(duo) == 0
    assert judged(duo, "accounted") == 2
    assert await untouched(duo)


async def test_a_removal_that_much_has_happened_since(duo: Duo) -> None:
    plant(duo.left, duo.ann.link("P-4", "Tests", "P-5"))
    edit(duo.left, 60, "P-4", "P-5")
    assert await look(duo) == 1


async def test_a_changelog_that_cannot_be_read_is_not_passed_over(duo: Duo) -> None:
    plant(duo.left, duo.ann.link("P-4", "Tests", "P-5"))
    edit(duo.left, 60, "P-4", "P-5")
    broken = duo.left.jira.faults.add(Fault("error_before", "GET", "/changelog$", times=3))
    for _ in range(3):
        assert await look(duo) == 0
        await read_by(duo)
    assert broken.hits == 3
    assert await untouched(duo)
    assert await look(duo) == 1


async def test_a_site_that_is_away_is_read_when_it_is_back(duo: Duo) -> None:
    plant(duo.right, duo.bob.link("P-4", "Tests", "P-5"))
    duo.right.jira.faults.add(Fault("error_before", "POST", "^/search$", times=6))
    tries = 0
    while not await look(duo):
        assert await waiting(duo) == 2
        tries += 1
        await read_by(duo)
    assert tries == 6
    assert counted(duo) == 1


async def test_an_issue_that_is_gone_is_given_up_and_said(duo: Duo) -> None:
    duo.bob.link("P-4", "Tests", "P-5")
    duo.bob.delete("P-5")
    duo.world.clock.tick(3600)
    for _ in range(4):
        assert await look(duo) == 0
        await read_by(duo)
    assert exported(duo, "monitor_unread_total") == 1
    assert await waiting(duo) == 0
    assert await untouched(duo)


async def test_an_issue_that_was_hidden_is_judged_from_where_it_was(duo: Duo) -> None:
    link = duo.bob.link("P-4", "Tests", "P-5")
    plant(duo.right, link)
    for key in ("P-4", "P-5"):
        duo.bob.hide(key, ACCOUNT)
    for _ in range(4):
        assert await look(duo) == 0
        await read_by(duo)
    for key in ("P-4", "P-5"):
        duo.bob.hide(key, ACCOUNT, hidden=False)
        duo.bob.edit(key, summary="seen again")
    await poll_now(duo)
    assert await look(duo) == 1


async def test_what_was_before_us_is_not_ours(build: Build) -> None:
    duo = await build()
    await duo.world.execute("UPDATE sites SET created_at = created_at + interval '1 hour'")
    plant(duo.right, duo.bob.link("P-4", "Tests", "P-5"))
    assert await look(duo) == 0
    assert await untouched(duo)


async def test_an_account_that_is_shared_is_not_watched(duo: Duo) -> None:
    await duo.world.execute("UPDATE sites SET account_dedicated = false")
    plant(duo.right, duo.bob.link("P-4", "Tests", "P-5"))
    assert await look(duo) == 0
    await duo.world.execute("UPDATE sites SET account_dedicated = true")
    await poll_now(duo)
    assert await look(duo) == 0, "that was somebody else's doing"
    duo.world.clock.tick(60)
    plant(duo.right, duo.bob.link("P-4", "Tests", "P-5"))
    assert await look(duo) == 1


async def test_a_death_on_the_way_loses_nothing(duo: Duo, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(duo.right, duo.bob.link("P-4", "Tests", "P-5"))
    await duo.world.deliver()
    async with killed(duo.right.jira, "POST", "^/search$", acted=True):
        await verify.run_once(duo.world.ctx)
    assert await verify.run_once(duo.world.worker()) == 0, "still under the dead one's lease"
    await read_by(duo)

    async def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(stored, "settle", die)
        with pytest.raises(Died):
            await verify.run_once(duo.world.worker())
    assert await untouched(duo), "all of it or nothing"
    await read_by(duo)
    assert await look(duo) == 1
    assert await paused(duo) == ["monitor"]


async def test_many_workers_find_each_removal_once(duo: Duo) -> None:
    pairs = [("P-1", "P-2"), ("P-2", "P-3"), ("P-3", "P-4"), ("P-4", "P-5"), ("P-5", "P-1")]
    for one, other in pairs:
        plant(duo.right, duo.bob.link(one, "Tests", other))
        plant(duo.left, duo.ann.link(one, "Tests", other))
    await duo.world.deliver()
    workers = [duo.world.worker() for _ in range(4)]
    found = await asyncio.gather(*(verify.run_once(worker) for worker in workers))
    assert sum(found) == 10
    assert counted(duo) == 10
    assert len(await incidents(duo)) == 2, "one a site"


async def test_deliveries_that_commit_out_of_order(duo: Duo) -> None:
    """A lower id may become visible after a higher one was taken."""
    await duo.world.settle()
    link = duo.bob.link("P-4", "Tests", "P-5")
    plant(duo.right, link)
    plant(duo.right, duo.bob.link("P-1", "Tests", "P-2"))
    duo.right.jira.outbox.pop_due()

    async def arrive(conn: Any, source: str, to: str) -> None:
        await conn.execute(
            """INSERT INTO inbox (site_id, delivery, kind, received_at, link_id, source_id,
                   destination_id) VALUES ($1, $2, 'link_deleted', $3, 1, $4, $5)""",
            duo.right.id, source, duo.world.now(), int(duo.right.ref(source).id),
            int(duo.right.ref(to).id),
        )  # fmt: skip

    async with duo.world.database.transaction() as slow:
        await arrive(slow, "P-4", "P-5")
        async with duo.world.database.transaction() as quick:
            await arrive(quick, "P-1", "P-2")
        assert await verify.run_once(duo.world.ctx) == 1
    assert await verify.run_once(duo.world.ctx) == 1
    duo.world.clock.tick(3600)
    assert await verify.run_once(duo.world.ctx) == 0
    rows = await duo.world.rows("SELECT * FROM monitor_deliveries WHERE $1::bigint[] IS NOT NULL")
    assert rows == [], "past all doubt, forgotten"


async def test_a_clock_that_is_off_accuses_nobody(lab: Lab) -> None:
    """Jira is a quarter of an hour ahead of us."""
    clock, ahead = ManualClock(), ManualClock()
    ahead.tick(900)
    world = lab.world(clock)
    left = await world.add_site("left", mixed.site("left", clock))
    right = await world.add_site("right", mixed.site("right", ahead))
    made = await world.connect("left", "right", mixed.config(left, right))
    twins = {k: await world.pair(made, ("left", k), ("right", to)) for k, to in TWINS.items()}
    duo = Duo(world, left, right, made, twins)
    link = left.person().link("P-1", "Blocks", "P-2")
    for _ in range(3):
        ahead.set(clock.now() + 900)
        await world.deliver()
        await world.look()
    assert len(right.ours) == 1
    left.person().unlink(link)
    for _ in range(3):
        ahead.set(clock.now() + 900)
        await world.deliver()
        await world.look()
    assert not right.jira.links
    ahead.set(clock.now() + 900)
    assert await look(duo) == 0
    assert judged(duo, "accounted") == 2
    assert await untouched(duo)
    await world.aclose()


async def test_reading_waits_for_the_database(duo: Duo, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL away is nobody's removal, and puts nothing off."""
    plant(duo.right, duo.bob.link("P-4", "Tests", "P-5"))
    await duo.world.deliver()

    async def away(*_: object) -> None:
        raise TransientError("database_unavailable")

    with monkeypatch.context() as patched:
        patched.setattr("app.store.monitor.audited_removals.removals", away)
        with pytest.raises(TransientError):
            await verify.run_once(duo.world.ctx)
    await read_by(duo)
    assert await look(duo) == 1


async def test_a_person_adds_the_reversed_link_beside_our_mirror(duo: Duo) -> None:
    """Both read the same in every changelog. Our removal of ours is no alarm, whoever is first."""
    made = await duo.mirrored("P-1", "Relates", "P-2")
    mirror = duo.mirror
    theirs = duo.bob.link("P-3", "Relates", "P-2")
    duo.ann.unlink(made)
    await duo.world.settle()
    assert mirror.id not in duo.right.jira.links
    assert theirs.id in duo.right.jira.links
    assert await look(duo) == 0
    assert judged(duo, "accounted") == 2
    assert await untouched(duo)


async def test_our_account_removes_a_persons_reversed_link(duo: Duo) -> None:
    """The ledger names theirs for ours, and the audit follows it: the id tells them apart."""
    made = await duo.mirrored("P-1", "Relates", "P-2")
    mirror = duo.mirror
    theirs = duo.bob.link("P-3", "Relates", "P-2")
    await duo.world.settle()
    plant(duo.right, theirs)
    await duo.world.execute(
        """INSERT INTO audit OVERRIDING SYSTEM VALUE SELECT (x).* FROM (
               SELECT jsonb_populate_record(a, jsonb_build_object(
                   'id', a.id + 1000, 'seq', a.seq + 1000, 'operation', 'remove',
                   'at', $2::timestamptz, 'link_id', $1::bigint, 'intent_id', NULL)) AS x
               FROM audit a WHERE link_id = $3 AND status = 'applied') y""",
        theirs.id, duo.world.now(), mirror.id,
    )  # fmt: skip
    assert made.id in duo.left.jira.links
    assert await look(duo) == 1
    assert judged(duo, "unmanaged") == 1


async def test_an_empty_changelog_takes_nothing_back_that_was_seen(duo: Duo) -> None:
    """Jira's endpoint for whole changelogs answers that there is nothing: the removal that the
    bulk answer showed a moment before is found all the same."""
    edit(duo.left, 60, "P-4", "P-5")
    plant(duo.left, duo.ann.link("P-4", "Tests", "P-5"))
    empty = duo.left.jira.faults.add(Fault("empty_changelog", "GET", "/changelog$"))
    assert await look(duo) == 1
    assert empty.hits
    assert judged(duo, "unaudited") == 1
