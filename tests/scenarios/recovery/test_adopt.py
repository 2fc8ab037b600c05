"""Adopt: somebody moves here from another sync product, and nothing else becomes ours."""

import asyncio
from datetime import timedelta

import pytest

from app.core.config import Direction, Mode
from app.core.errors import PermanentError
from app.core.plan import as_markdown, as_text
from app.sandbox import Fault, Link
from app.sandbox.backup import back_up, restore
from app.store.config import connections
from app.store.guard import held_plans as stored_plans
from app.store.links import ledger as stored_ledger
from app.sync.guard import held_plans as plans
from app.sync.guard import unpairings
from app.sync.monitor import verify
from app.sync.recovery import adopt
from app.sync.twins import release
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.recovery.adopting import SYNC, Former
from tests.support import mixed
from tests.support.crash import Died, killed
from tests.support.engine import ACCOUNT


@pytest.fixture
async def former(duo: Duo) -> Former:
    return Former.at(duo)


async def one_pair(former: Former) -> tuple[Link, Link]:
    """A person's link on the left, its mirror of the former product on the right."""
    made = former.mirrored(former.duo.ann, former.by("right"), "P-1", "Blocks", "P-2")
    await former.duo.world.settle()
    assert await former.duo.world.states() == ["preexisting"]
    return made


async def test_a_world_that_another_product_mirrored(former: Former) -> None:
    """Exactly the pairs that it wrote on one side, and from then on they are kept in step."""
    duo = former.duo
    ann, bob, here, there = duo.ann, duo.bob, former.by("left"), former.by("right")
    right = former.mirrored(ann, there, "P-1", "Blocks", "P-2")
    left = former.mirrored(here, bob, "P-2", "Blocks", "P-3")
    symmetric = former.mirrored(ann, there, "P-3", "Relates", "P-4")
    people = former.mirrored(ann, bob, "P-1", "Blocks", "P-3")
    both = former.mirrored(here, there, "P-1", "Blocks", "P-4")
    await duo.world.settle()
    assert await duo.world.states() == ["preexisting"] * 5
    before = duo.left.jira.fingerprint(), duo.right.jira.fingerprint()

    plan_id = await former.adopt()
    assert (await former.plan(plan_id)).status == "held"
    assert await former.results(plan_id) == {
        right[1].id: None,
        left[0].id: None,
        symmetric[1].id: None,
        people[1].id: "skipped:not_written",
        both[1].id: "skipped:ambiguous",
    }
    await former.approve(plan_id)
    await duo.world.settle()
    assert (await former.plan(plan_id)).status == "applied"
    rows = await duo.world.ledger()
    managed = {
        (it["origin"], it["left_link_id"], it["right_link_id"])
        for it in rows
        if it["state"] == "managed"
    }
    assert managed == {
        ("left", right[0].id, right[1].id),
        ("right", left[0].id, left[1].id),
        ("left", symmetric[0].id, symmetric[1].id),
    }
    assert (duo.left.jira.fingerprint(), duo.right.jira.fingerprint()) == before, "nothing in Jira"

    # One that stays: the last of a connection's links would be held.
    duo.ann.link("P-1", "Relates", "P-2")
    await duo.world.settle()
    [kept] = duo.right.ours
    for person, origin in (
        (ann, right[0]),
        (bob, left[1]),
        (ann, symmetric[0]),
        (ann, people[0]),
        (here, both[0]),
    ):
        person.unlink(origin)
    await duo.world.settle()
    assert set(duo.right.jira.links) == {people[1].id, both[1].id, kept}
    assert duo.left.jira.triples_of() == {("P-1", "Relates", "P-2")}
    removed = {it.link_id for it in duo.right.jira.mutations.select("removed", ACCOUNT)}
    assert removed == {right[1].id, symmetric[1].id}


async def test_an_adopted_link_is_removed_under_the_monitors_eyes(former: Former) -> None:
    """Jira's changelog names the other account: the approved adoption is what proves it ours."""
    duo = former.duo
    origin, mirror = await one_pair(former)
    await former.approve(await former.adopt())
    assert [row["authorship"] for row in await duo.world.ledger()] == ["adopted"]
    duo.ann.unlink(origin)
    await duo.world.settle()
    assert mirror.id not in duo.right.jira.links
    intended = next(it for it in await duo.world.audit() if it["operation"] == "remove")
    assert intended["evidence"]["authorship"] == "adopted", "the removal says what it rests on"
    assert await verify.run_once(duo.world.ctx) == 0
    metrics = duo.world.ctx.metrics.registry
    assert metrics.get_sample_value("twinlink_unmanaged_links_removed_total") == 0
    accounted = {"verdict": "accounted"}
    assert metrics.get_sample_value("twinlink_monitor_removals_total", accounted) == 2


async def test_without_its_adoption_the_same_removal_does_not_happen(former: Former) -> None:
    """Whatever the ledger says: the changelog names another account, right before the DELETE."""
    duo = former.duo
    origin, mirror = await one_pair(former)
    await duo.world.execute(
        "UPDATE ledger SET state = 'managed', authorship = 'ours', version = version + 1"
    )
    duo.ann.unlink(origin)
    await duo.world.settle()
    assert mirror.id in duo.right.jira.links
    duo.right.person(ACCOUNT).unlink(mirror)
    await duo.world.deliver()
    assert await verify.run_once(duo.world.ctx) == 1


async def test_who_reviews_its_removal_reads_that_it_was_adopted(former: Former) -> None:
    duo = former.duo
    origin, _ = await one_pair(former)
    await former.approve(await former.adopt())
    async with duo.world.database.transaction() as conn:
        await connections.set_mode(conn, duo.connection, Mode.REVIEW)
    duo.ann.unlink(origin)
    await duo.world.settle()
    async with duo.world.database.connection() as conn:
        plan_id = await conn.fetchval("SELECT max(id) FROM plans WHERE kind = 'removals'")
        plan = await stored_plans.value(conn, plan_id)
    assert [it["evidence"]["authorship"] for it in await former.changes(plan_id)] == ["adopted"]
    assert "row_7, adopted from another account" in as_text(plan)
    assert "row_7, adopted from another account" in as_markdown(plan)


async def test_an_adopted_id_that_another_account_has_now_is_no_proof(former: Former) -> None:
    """As for a mirror of our own: this Jira went back, and gave the id to a person's link."""
    duo = former.duo
    backup = back_up(duo.right.jira)
    origin, mirror = await one_pair(former)
    await former.approve(await former.adopt())
    await duo.world.settle()
    duo.world.clock.tick(3600)
    restore(duo.right.jira, backup)
    assert duo.bob.link("P-2", "Blocks", "P-3").id == mirror.id
    await duo.world.settle()
    duo.ann.unlink(origin)
    await duo.world.settle()
    assert mirror.id in duo.right.jira.links
    assert await duo.world.rows(
        """SELECT 1 FROM incidents i JOIN connections c ON i.site_id = c.right_site_id
           WHERE c.id = ANY($1::bigint[]) AND i.kind = 'site_went_back'"""
    )


async def test_an_adopted_link_that_was_released_is_nobodys(former: Former) -> None:
    """Unpairing lets it go; who removes it afterwards removes what is not ours."""
    duo = former.duo
    _, mirror = await one_pair(former)
    await former.approve(await former.adopt())
    await duo.world.settle()
    await unpairings.unpair(duo.world.ctx, duo.connection, duo.twins["P-1"], actor="tests")
    duo.right.person(ACCOUNT).unlink(mirror)
    await duo.world.execute(
        """INSERT INTO audit (connection_id, seq, at, connection, site, operation, status, link_id,
               type_id, type, source_id, source_key, destination_id, destination_key, managed,
               cause_kind, cause_id, revision, engine, evidence, actor, prev_hash, hash)
           SELECT connection_id, seq + 1000, $1, connection, site, 'remove', 'applied', link_id,
               type_id, type, source_id, source_key, destination_id, destination_key, managed,
               cause_kind, cause_id, revision, engine, evidence, actor, prev_hash, hash
           FROM audit WHERE operation = 'adopt'""",
        duo.world.now(),
    )
    await duo.world.deliver()
    assert await verify.run_once(duo.world.ctx) == 1


async def test_what_is_written_down(former: Former) -> None:
    _, mirror = await one_pair(former)
    plan_id = await former.adopt()
    await former.approve(plan_id)
    (row,) = [it for it in await former.duo.world.audit() if it["operation"] == "adopt"]
    assert (row["status"], row["link_id"], row["managed"]) == ("applied", mirror.id, True)
    assert (row["plan_id"], row["actor"], row["cause_kind"]) == (plan_id, "boss", "plan")
    assert row["evidence"]["former"] == "preexisting"
    stored = str(await former.changes(plan_id)) + str(row)
    async with former.duo.world.database.connection() as conn:
        stored += str([dict(it) for it in await conn.fetch("SELECT * FROM adoptions")])
    assert SYNC not in stored, "accounts are kept as a keyed hash"


@pytest.mark.parametrize(
    ("direction", "result"),
    [(Direction.LEFT_TO_RIGHT, None), (Direction.RIGHT_TO_LEFT, "skipped:direction")],
)
async def test_the_direction_of_the_connection_holds(
    build: Build, direction: Direction, result: str | None
) -> None:
    former = Former.at(await build(direction=direction))
    _, mirror = former.mirrored(former.duo.ann, former.by("right"), "P-1", "Blocks", "P-2")
    await former.duo.world.settle()
    plan_id = await former.adopt()
    assert list((await former.results(plan_id)).values()) == [result]
    assert mirror.id in former.duo.right.jira.links


@pytest.mark.parametrize("account", ["nobody", ACCOUNT])
async def test_an_account_that_wrote_nothing(former: Former, account: str) -> None:
    await one_pair(former)
    plan_id = await former.adopt(account)
    assert list((await former.results(plan_id)).values()) == ["skipped:not_written"]
    plan = await former.plan(plan_id)
    assert plan.status == "applied", "there is nothing to decide"
    assert await former.duo.world.states() == ["preexisting"]


async def test_nothing_to_look_at(former: Former) -> None:
    plan_id = await former.adopt()
    assert await former.results(plan_id) == {}
    assert (await former.plan(plan_id)).status == "applied"


async def test_the_window_is_of_the_writing(former: Former) -> None:
    await one_pair(former)
    former.duo.world.clock.tick(3600)
    late = await former.adopt(since=former.duo.world.now())
    assert list((await former.results(late)).values()) == ["skipped:outside_window"]


async def test_pairs_that_cannot_be_told(former: Former) -> None:
    duo = former.duo
    duo.right.jira.quirks.link_text = "(no words that we know) {key}"
    _, unread = former.mirrored(duo.ann, former.by("right"), "P-1", "Blocks", "P-2")
    duo.right.jira.quirks.link_text = "This issue {wording} {key}"
    _, twice = former.mirrored(duo.ann, former.by("right"), "P-3", "Relates", "P-4")
    duo.right.person("ann").link("P-4", "Relates", "P-1")
    await duo.world.settle()
    results = await former.results(await former.adopt())
    assert results[unread.id] == "skipped:author_unknown"
    assert sorted(filter(None, results.values())) == [
        "skipped:author_unknown",
        "skipped:several_links",
    ]
    assert twice.id in duo.right.jira.links


async def test_a_long_changelog_is_read_whole(build: Build) -> None:
    former = Former.at(await build())
    here = former.by("left")
    mirror, _ = former.mirrored(here, former.duo.bob, "P-1", "Blocks", "P-2")
    for number in range(120):
        for key in ("P-1", "P-2"):
            former.duo.ann.edit(key, summary=f"Version {number}")
    await former.duo.world.settle()
    assert await former.results(await former.adopt()) == {mirror.id: None}


async def test_an_issue_under_a_new_key_is_left_alone(former: Former) -> None:
    """Its history speaks of the former key."""
    await one_pair(former)
    former.duo.bob.move("P-2", "X")
    results = await former.results(await former.adopt())
    assert list(results.values()) == ["skipped:issue_not_seen"]


async def test_a_detached_link_is_attached_again(former: Former) -> None:
    """Both sides went and came back by other hands, so the row stays detached; whoever wrote the
    mirror may be adopted."""
    duo = former.duo
    made = await duo.mirrored()
    duo.bob.unlink(duo.mirror)
    await duo.world.settle()
    assert await duo.world.states() == ["detached"]
    again = former.by("right").link("P-2", "Blocks", "P-3")
    await duo.world.settle()
    assert await duo.world.states() == ["detached"]
    plan_id = await former.adopt()
    await former.approve(plan_id)
    await duo.world.settle()
    assert await duo.world.states() == ["managed"]
    duo.ann.unlink(made)
    await duo.world.settle()
    assert again.id not in duo.right.jira.links


async def test_our_own_links_come_back_after_unpairing(duo: Duo) -> None:
    """Released links are preexisting to the next pairing; adopt takes them by our own account."""
    former = Former.at(duo)
    await duo.mirrored()
    mirror = duo.mirror
    await unpairings.unpair(duo.world.ctx, duo.connection, duo.twins["P-1"], actor="tests")
    await duo.world.pair(duo.connection, ("left", "P-1"), ("right", "P-2"))
    await duo.world.settle()
    assert await duo.world.states() == ["preexisting"]
    account = duo.right.access.account_id
    assert account is not None
    plan_id = await former.adopt(account, since=former.began - timedelta(hours=1))
    assert await former.results(plan_id) == {mirror.id: None}
    await former.approve(plan_id)
    await duo.world.settle()
    assert await duo.world.states() == ["managed"]


async def test_what_another_connection_manages_stays_there(former: Former) -> None:
    duo, world = former.duo, former.duo.world
    _, mirror = await one_pair(former)
    plan_id = await former.adopt()
    other = await world.add_site("other", mixed.site("other", world.clock))
    made = await world.connect("other", "right", mixed.config(other, duo.right))
    async with world.database.transaction() as conn:
        await conn.execute(
            """INSERT INTO ledger (connection_id, left_type_id, right_type_id, source_twin_id,
                   destination_twin_id, left_source_id, left_source_key, left_destination_id,
                   left_destination_key, right_source_id, right_source_key, right_destination_id,
                   right_destination_key, origin, state, authorship, left_link_id, right_link_id,
                   mirror_site_id, mirror_type_id, mirror_source_id, mirror_destination_id)
               SELECT $1, left_type_id, right_type_id, 900, 901, left_source_id, left_source_key,
                   left_destination_id, left_destination_key, right_source_id, right_source_key,
                   right_destination_id, right_destination_key, 'left', 'managed', 'ours', 1,
                   right_link_id, mirror_site_id, mirror_type_id, mirror_source_id,
                   mirror_destination_id FROM ledger WHERE connection_id = $2""",
            made,
            duo.connection,
        )
    await former.approve(plan_id)
    assert await former.results(plan_id) == {mirror.id: "skipped:managed_elsewhere"}
    again = await former.adopt()
    assert await former.results(again) == {mirror.id: "skipped:managed_elsewhere"}
    assert (await former.plan(again)).status == "applied", "known when it was planned"


# -- between the plan and its application


async def test_what_no_longer_holds_is_skipped_and_said(former: Former) -> None:
    duo = former.duo
    origin, mirror = await one_pair(former)
    plan_id = await former.adopt()
    former.by("right").unlink(mirror)
    duo.world.clock.tick(1)
    duo.bob.link("P-2", "Blocks", "P-3")
    await former.approve(plan_id)
    assert await former.results(plan_id) == {mirror.id: "skipped:not_written"}
    assert (await former.plan(plan_id)).status == "applied"
    assert "managed" not in await duo.world.states()
    duo.ann.unlink(origin)
    await duo.world.settle()
    assert len(duo.right.jira.links) == 1, "a person's"


async def test_the_same_account_made_it_anew(former: Former) -> None:
    """Another link than was reviewed, although all else holds."""
    _, mirror = await one_pair(former)
    plan_id = await former.adopt()
    former.by("right").unlink(mirror)
    former.duo.world.clock.tick(1)
    former.by("right").link("P-2", "Blocks", "P-3")
    await former.approve(plan_id)
    assert await former.results(plan_id) == {mirror.id: "skipped:changed"}


async def test_a_mirror_that_does_not_answer_by_its_id(former: Former) -> None:
    """It is listed still, and gone."""
    duo = former.duo
    _, mirror = await one_pair(former)
    plan_id = await former.adopt()
    duo.right.jira.faults.add(
        Fault(
            "before",
            "GET",
            "^/issueLink/",
            times=1,
            action=lambda: former.by("right").unlink(mirror),
        )
    )
    await former.approve(plan_id)
    assert await former.results(plan_id) == {mirror.id: "skipped:link_changed"}
    assert "managed" not in await duo.world.states()


async def test_a_rejected_plan_changes_nothing(former: Former) -> None:
    _, mirror = await one_pair(former)
    plan_id = await former.adopt()
    digest = (await former.plan(plan_id)).digest or ""
    world = former.duo.world
    await plans.reject(world.database, plan_id, digest, by="boss", note="", now=world.now())
    await adopt.run_once(world.ctx)
    await world.settle()
    assert await former.results(plan_id) == {mirror.id: "rejected"}
    assert await world.states() == ["preexisting"]


async def test_a_wrong_digest_decides_nothing(former: Former) -> None:
    await one_pair(former)
    plan_id = await former.adopt()
    world = former.duo.world
    with pytest.raises(PermanentError, match="plan_digest"):
        await plans.approve(world.database, plan_id, "0" * 64, by="boss", note="", now=world.now())
    assert (await former.plan(plan_id)).status == "held"


async def test_looks_in_between_take_nothing_out_of_the_plan(former: Former) -> None:
    """A look that judges the pair has nothing to do with it: neither while the plan gathers,
    nor while it is applied."""
    duo = former.duo
    _, mirror = await one_pair(former)
    plan_id = await former.adopt()
    await duo.world.resync()
    await duo.world.settle()
    assert await former.results(plan_id) == {mirror.id: None}
    await former.approve(plan_id, apply=False)
    await duo.world.resync()
    await duo.world.settle()
    assert await former.results(plan_id) == {mirror.id: None}
    await adopt.run_once(duo.world.ctx)
    assert await former.results(plan_id) == {mirror.id: "applied:adopted"}


async def test_a_look_takes_nothing_out_of_a_plan_that_gathers(
    former: Former, monkeypatch: pytest.MonkeyPatch
) -> None:
    duo = former.duo
    former.mirrored(duo.ann, former.by("right"), "P-1", "Blocks", "P-2")
    former.mirrored(duo.ann, former.by("right"), "P-2", "Blocks", "P-3")
    await duo.world.settle()
    monkeypatch.setattr(adopt, "PAGE", 1)
    duo.right.jira.faults.add(Fault("error_before", "POST", "^/search$", skip=1, times=1))
    plan_id = await former.adopt()
    assert list((await former.results(plan_id)).values()) == [None]
    assert (await former.plan(plan_id)).status == "gathering"
    await duo.world.resync()
    await duo.world.settle()
    duo.world.clock.tick(10)
    await adopt.run_once(duo.world.ctx)
    assert list((await former.results(plan_id)).values()) == [None, None]
    assert (await former.plan(plan_id)).status == "held"


async def test_a_link_that_is_being_written_waits(former: Former) -> None:
    """Whoever writes it now: what was read of it may be half of that."""
    world = former.duo.world
    _, mirror = await one_pair(former)
    plan_id = await former.adopt()
    await world.execute(
        """INSERT INTO intents (connection_id, site_id, operation, type_id, source_id, source_key,
               destination_id, destination_key, key_source_id, key_destination_id, link_id,
               left_type_id, right_type_id, source_twin_id, destination_twin_id, origin,
               origin_source_id, origin_source_key, origin_destination_id, origin_destination_key,
               cause_kind, cause_id, revision, created_at, send_before, confirm_after)
           SELECT connection_id, mirror_site_id, 'remove', mirror_type_id, right_source_id, 'P-2',
               right_destination_id, 'P-3', mirror_source_id, mirror_destination_id,
               right_link_id, left_type_id, right_type_id, 0, 0, 'left', left_source_id, 'P-1',
               left_destination_id, 'P-2', 'webhook', '1', 1, $1, $1, $2 FROM ledger""",
        world.now(),
        world.now() + timedelta(days=1),
    )
    await former.approve(plan_id)
    assert await former.results(plan_id) == {mirror.id: None}
    await world.execute("UPDATE intents SET state = 'noop', closed_at = $1", world.now())
    world.clock.tick(10)
    await adopt.run_once(world.ctx)
    assert await former.results(plan_id) == {mirror.id: "applied:adopted"}


async def test_a_pause_waits(former: Former) -> None:
    _, mirror = await one_pair(former)
    plan_id = await former.adopt()
    world = former.duo.world
    await world.execute("UPDATE connections SET paused_at = now()")
    await former.approve(plan_id)
    assert await former.results(plan_id) == {mirror.id: None}
    await world.execute("UPDATE connections SET paused_at = NULL")
    world.clock.tick(10)
    await adopt.run_once(world.ctx)
    assert await former.results(plan_id) == {mirror.id: "applied:adopted"}


async def test_in_shadow_it_is_adopted_and_nothing_follows(build: Build) -> None:
    former = Former.at(await build(mode=Mode.SHADOW))
    origin, mirror = await one_pair(former)
    await former.approve(await former.adopt())
    former.duo.ann.unlink(origin)
    await former.duo.world.settle()
    assert await former.duo.world.states() == ["managed"]
    assert mirror.id in former.duo.right.jira.links


async def test_a_site_that_is_away_only_delays(former: Former) -> None:
    duo = former.duo
    _, mirror = await one_pair(former)
    duo.right.jira.faults.add(Fault("error_before", "POST", "^/search$", times=2))
    plan_id = await former.adopt()
    assert (await former.plan(plan_id)).status == "gathering"
    for _ in range(2):
        duo.world.clock.tick(10)
        await adopt.run_once(duo.world.ctx)
    assert await former.results(plan_id) == {mirror.id: None}
    assert (await former.plan(plan_id)).status == "held"


@pytest.mark.parametrize("applying", [False, True])
async def test_a_death_on_the_way_is_taken_up_by_another(
    former: Former, applying: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    duo = former.duo
    _, mirror = await one_pair(former)
    plan_id = await former.adopt() if applying else 0
    if applying:
        await former.approve(plan_id, apply=False)
    async with killed(duo.right.jira, "POST", "^/search$", acted=True):
        if applying:
            await adopt.run_once(duo.world.ctx)
        else:
            await former.adopt()
    if not plan_id:
        (row,) = await duo.world.rows("SELECT * FROM adoptions WHERE $1::bigint[] IS NOT NULL")
        plan_id = row["plan_id"]
    assert await adopt.run_once(duo.world.worker()) == 0, "still under the dead one's lease"
    duo.world.clock.tick(600)
    await adopt.run_once(duo.world.worker())
    if not applying:
        await former.approve(plan_id, apply=False)

    async def die(*_: object, **__: object) -> None:
        raise Died

    duo.world.clock.tick(600)
    if not applying:
        with monkeypatch.context() as patched:
            patched.setattr(stored_ledger, "insert", die)
            with pytest.raises(Died):
                await adopt.run_once(duo.world.worker())
        assert await duo.world.states() == ["preexisting"], "all of it or nothing"
        duo.world.clock.tick(600)
        await adopt.run_once(duo.world.worker())
    assert await former.results(plan_id) == {mirror.id: "applied:adopted"}
    assert await duo.world.states() == ["managed"]
    adopted = [it for it in await duo.world.audit() if it["operation"] == "adopt"]
    assert len(adopted) == 1


async def test_many_workers_and_two_adoptions_of_the_same(former: Former) -> None:
    """Each pair is adopted once, whoever comes first."""
    duo = former.duo
    for source, name, to in (
        ("P-1", "Blocks", "P-2"),
        ("P-2", "Blocks", "P-3"),
        ("P-3", "Relates", "P-4"),
    ):
        former.mirrored(duo.ann, former.by("right"), source, name, to)
    await duo.world.settle()
    both = [await former.adopt(), await former.adopt()]
    for plan_id in both:
        await former.approve(plan_id, apply=False)
    workers = [duo.world.worker() for _ in range(4)]
    await asyncio.gather(*(adopt.run_once(worker) for worker in workers))
    duo.world.clock.tick(600)
    await adopt.run_once(duo.world.ctx)
    results = [word for plan_id in both for word in (await former.results(plan_id)).values()]
    assert sorted(map(str, results)) == ["applied:adopted"] * 3 + ["skipped:changed"] * 3
    assert await duo.world.states() == ["managed"] * 3
    assert len([it for it in await duo.world.audit() if it["operation"] == "adopt"]) == 3


async def test_a_connection_that_is_deleted_meanwhile(former: Former) -> None:
    world = former.duo.world
    _, mirror = await one_pair(former)
    plan_id = await former.adopt()
    await former.approve(plan_id, apply=False)
    await release.delete_connection(
        world.database,
        former.duo.connection,
        actor="tests",
        now=world.now(),
        engine="twinlink/test",
    )
    await adopt.run_once(world.ctx)
    assert await former.results(plan_id) == {mirror.id: "skipped:connection_deleted"}
    assert (await former.plan(plan_id)).status == "applied"


async def test_an_adopted_id_that_its_former_account_has_anew_is_no_proof(former: Former) -> None:
    """This Jira went back to before the mirror was there. What the account of the other product
    made since has its id, type and ends, and nobody adopted it."""
    duo = former.duo
    backup = back_up(duo.right.jira)
    origin, mirror = await one_pair(former)
    await former.approve(await former.adopt())
    await duo.world.settle()
    duo.world.clock.tick(3600)
    restore(duo.right.jira, backup)
    assert former.by("right").link("P-2", "Blocks", "P-3").id == mirror.id
    await duo.world.settle()
    duo.ann.unlink(origin)
    await duo.world.settle()
    assert mirror.id in duo.right.jira.links
