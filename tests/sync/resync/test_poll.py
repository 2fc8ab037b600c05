"""Polling: what webhooks lost is found, once, and nothing that failed counts as polled."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core.links import ProjectKey
from app.sandbox import Fault
from app.sandbox.issues import rename_project
from app.store.config import connections
from app.sync.incidents import watch
from app.sync.resync import poll, walk
from app.sync.upkeep.gauges import Gauges
from tests.support import mixed
from tests.sync.discovery.fields import FieldWorld, open_fields


@pytest.fixture(params=["cloud", "datacenter"])
async def fields(request: pytest.FixtureRequest, db_url: str) -> AsyncIterator[FieldWorld]:
    async with open_fields(db_url, request.param) as made:
        await made.world.pair(made.connection, ("left", "P-1"), ("right", "P-3"))
        await made.world.pair(made.connection, ("left", "P-2"), ("right", "P-4"))
        await made.world.settle()
        yield made


def lose_webhooks(fields: FieldWorld) -> None:
    for station in (fields.left, fields.right):
        station.jira.outbox.pop_due()


async def sites(fields: FieldWorld) -> dict[int, Any]:
    rows = await fields.world.rows("SELECT * FROM sites WHERE $1::bigint[] IS NOT NULL")
    return {it["id"]: it for it in rows}


async def raised(fields: FieldWorld) -> list[tuple[str, bool]]:
    rows = await fields.world.rows(
        """SELECT t.left_key, w.cause_kind, w.bulk FROM work w JOIN twins t ON t.id = w.twin_id
           WHERE w.connection_id = ANY($1::bigint[]) AND w.generation > w.done
           ORDER BY t.left_key"""
    )
    assert {it["cause_kind"] for it in rows} <= {"poll"}
    return [(it["left_key"], it["bulk"]) for it in rows]


async def test_a_lost_link_event_is_found(fields: FieldWorld) -> None:
    fields.left.person().link("P-1", "Blocks", "P-2")
    lose_webhooks(fields)
    assert await fields.poll() == 2
    assert ("P-1", True) in await raised(fields)

    await fields.world.settle()
    assert fields.right.jira.triples_of() == {("P-3", "Blocks", "P-4")}
    causes = {it["cause_kind"] for it in await fields.world.audit()}
    assert causes == {"poll"}


async def test_a_lost_removal_is_found(fields: FieldWorld) -> None:
    fields.left.person().link("P-1", "Blocks", "P-2")
    await fields.world.settle()
    await fields.poll()
    await fields.world.settle()
    fields.left.person().unlink("P-1", "Blocks", "P-2")
    lose_webhooks(fields)
    await fields.poll()
    await fields.world.settle()

    assert fields.right.jira.triples_of() == set()


async def test_the_overlap_raises_nothing_twice(fields: FieldWorld) -> None:
    fields.left.person().link("P-1", "Blocks", "P-2")
    await fields.world.settle()
    await fields.poll()
    await fields.world.settle()
    await fields.poll()
    assert await raised(fields) == [], "the same issues, within the overlap"

    fields.left.person().comment("P-1", "nothing that concerns us")
    lose_webhooks(fields)
    await fields.poll()
    assert await raised(fields) == [], "updated, but nothing of it is ours"

    fields.left.person().link("P-1", "Tests", "P-2")
    lose_webhooks(fields)
    await fields.poll()
    assert len(await raised(fields)) == 2


async def test_it_reaches_behind_the_last_poll_that_succeeded(fields: FieldWorld) -> None:
    await fields.poll()
    await fields.world.settle()
    fields.left.person().link("P-1", "Blocks", "P-2")
    lose_webhooks(fields)
    fields.left.jira.faults.add(Fault("error_before", status=503, path="search"))
    fields.let_pass(3600)
    before = await sites(fields)
    assert await fields.poll() == 1, "the other site goes on"
    after = await sites(fields)
    left, right = fields.left.id, fields.right.id
    assert after[left]["polled_until"] == before[left]["polled_until"]
    assert after[right]["polled_until"] > before[right]["polled_until"]

    fields.left.jira.faults.clear()
    fields.let_pass(3600)
    assert await fields.poll() == 2
    await fields.world.settle()
    assert fields.right.jira.triples_of() == {("P-3", "Blocks", "P-4")}


async def test_a_failing_site_is_asked_less_and_less_often(fields: FieldWorld) -> None:
    await fields.poll()
    cloud = fields.left.jira.flavour == "cloud"
    fields.left.jira.faults.add(Fault("error_before", status=503))
    delays = []
    for hours in (0, 1, 100):
        fields.let_pass(3600 * hours)
        await fields.poll()
        due = (await sites(fields))[fields.left.id]["poll_due_at"]
        now = datetime.fromtimestamp(fields.world.clock.now(), UTC)
        delays.append(round((due - now).total_seconds()))
    assert delays == [300 if cloud else 60, pytest.approx(360, abs=2), 900]


async def test_answers_for_nobody_count_for_nothing(fields: FieldWorld) -> None:
    fields.left.jira.faults.add(Fault("anonymous"))
    assert await fields.poll() == 1
    assert (await sites(fields))[fields.left.id]["polled_until"] is None


async def test_another_jira_in_its_place_counts_for_nothing(fields: FieldWorld) -> None:
    if fields.left.jira.flavour == "cloud":
        fields.left.jira.cloud_id = "a-copy-of-it"
    else:
        fields.left.jira.public_url = fields.left.jira.base_url = "https://copy.example"
    await fields.world.execute("UPDATE sites SET poll_due_at = to_timestamp(0)")
    assert await poll.run_once(fields.world.worker()) == 1
    assert (await sites(fields))[fields.left.id]["polled_until"] is None


async def test_a_site_is_polled_in_its_interval_and_by_one_worker(fields: FieldWorld) -> None:
    assert await fields.poll() == 2
    assert await poll.run_once(fields.world.ctx) == 0
    fields.let_pass(61)
    assert await poll.run_once(fields.world.ctx) == (
        0 if fields.left.jira.flavour == "cloud" else 2
    )
    fields.let_pass(300)
    async with fields.world.database.transaction() as other:
        await other.execute("SELECT 1 FROM sites WHERE id = $1 FOR NO KEY UPDATE", fields.left.id)
        assert await poll.run_once(fields.world.ctx) == 1


@pytest.mark.parametrize("switch", ["connection", "everything"])
async def test_a_pause_holds_polling(fields: FieldWorld, switch: str) -> None:
    if switch == "connection":
        await fields.world.execute("UPDATE connections SET paused_at = now()")
    else:
        await fields.world.execute(
            "INSERT INTO installation (id, paused_at) VALUES ('tests', now())"
        )
    assert await fields.poll() == 0


async def test_a_lost_field_event_is_found_once(fields: FieldWorld) -> None:
    fields.claim("P-5", "P-6")
    fields.claim("P-6", "no key at all")
    lose_webhooks(fields)
    await fields.poll()
    assert len(await fields.discoveries()) == 2
    await fields.discover()
    assert (await fields.pairs())["P-5"] == "P-6"

    await fields.poll()
    assert await fields.discoveries() == [], "the claims say what the fields say"


async def test_a_target_that_appears_is_paired(fields: FieldWorld) -> None:
    fields.claim("P-5", "P-8")
    await fields.discover()
    assert await fields.claims() == {"P-5": "unknown_issue"}
    assert fields.right.person().create("P", "Late").key == "P-8"
    await fields.poll()
    await fields.discover()

    assert (await fields.pairs())["P-5"] == "P-8"


async def test_comparisons_come_once_a_day_and_one_at_a_time(fields: FieldWorld) -> None:
    other = mixed.config(fields.right, fields.left)
    await fields.world.connect("right", "left", other)
    assert [await poll.compare_due(fields.world.ctx) for _ in range(3)] == [1, 1, 0]
    fields.let_pass(timedelta(hours=23).total_seconds())
    assert await poll.compare_due(fields.world.ctx) == 0
    fields.let_pass(timedelta(hours=1).total_seconds())
    assert await poll.compare_due(fields.world.ctx) == 1
    rows = await fields.world.rows("SELECT * FROM resyncs WHERE connection_id = ANY($1::bigint[])")
    assert {it["cause"] for it in rows} == {"daily"}
    assert len(rows) == 2, "one that has not begun is joined"


async def test_no_comparison_of_a_paused_or_deleted_connection(fields: FieldWorld) -> None:
    await fields.world.execute("UPDATE connections SET paused_at = now()")
    assert await poll.compare_due(fields.world.ctx) == 0
    await fields.world.execute("UPDATE connections SET paused_at = NULL, deleted_at = now()")
    assert await poll.compare_due(fields.world.ctx) == 0


async def test_a_comparison_that_was_not_asked_for_is_not_noted(
    fields: FieldWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object, **__: object) -> int:
        raise RuntimeError

    monkeypatch.setattr(walk, "request", fails)
    with pytest.raises(RuntimeError):
        await poll.compare_due(fields.world.ctx)
    monkeypatch.undo()
    assert await poll.compare_due(fields.world.ctx) == 1


# Projects that Jira does not show


async def widen(fields: FieldWorld, *projects: str) -> None:
    """The left side covers these projects as well."""
    async with fields.world.database.transaction() as conn:
        row = await connections.by_id(conn, fields.connection)
        assert row is not None
        keys = tuple(ProjectKey(it) for it in projects)
        left = replace(row.config.left, projects=row.config.left.projects + keys)
        config = replace(row.config, left=left)
        await connections.append_revision(
            conn, row.id, config, author="test", note="", now=fields.world.now()
        )


async def unseen(fields: FieldWorld) -> list[str]:
    rows = await fields.world.rows(
        f"""SELECT project FROM unseen_projects
            WHERE site_id = {fields.left.id} AND $1::bigint[] IS NOT NULL"""  # noqa: S608
    )
    return sorted(it["project"] for it in rows)


async def incidents(fields: FieldWorld) -> list[tuple[str, str]]:
    await watch.run_once(fields.world.ctx)
    rows = await fields.world.rows(
        f"""SELECT kind, state, facts FROM incidents
            WHERE site_id = {fields.left.id} AND $1::bigint[] IS NOT NULL"""  # noqa: S608
    )
    return [(it["kind"], it["state"]) for it in rows]


async def test_one_project_that_is_not_shown_stops_no_other(fields: FieldWorld) -> None:
    await widen(fields, "TYPO")
    fields.left.person().link("P-1", "Blocks", "P-2")
    lose_webhooks(fields)
    assert await fields.poll() == 2
    assert ("P-1", True) in await raised(fields)
    assert await unseen(fields) == ["TYPO"]
    assert await incidents(fields) == [("project_unseen", "investigating")]
    await Gauges(fields.world.ctx).run_once()
    gauge = fields.world.ctx.metrics.registry.get_sample_value
    assert gauge("twinlink_projects_unseen", {"site": fields.left.access.name}) == 1
    fields.left.jira.add_project("TYPO")
    assert await fields.poll() == 2
    assert await unseen(fields) == []
    assert await incidents(fields) == [("project_unseen", "monitoring")]


async def test_a_project_that_comes_back_is_compared(fields: FieldWorld) -> None:
    """What happened there meanwhile is on no page of a poll that goes on from its last."""
    await widen(fields, "X")
    fields.left.jira.permit("twinlink", "BROWSE_PROJECTS", "X", allowed=False)
    await fields.poll()
    before = await fields.world.rows("SELECT * FROM resyncs WHERE connection_id = ANY($1)")
    fields.let_pass(5 * 3600)
    fields.left.jira.permit("twinlink", "BROWSE_PROJECTS", "X")
    await fields.poll()
    after = await fields.world.rows("SELECT * FROM resyncs WHERE connection_id = ANY($1)")
    assert len(after) - len(before) == 1


async def test_a_project_whose_key_leads_nowhere_is_found_by_its_id(fields: FieldWorld) -> None:
    jira = fields.left.jira
    await fields.poll()
    rename_project(jira, jira.projects[min(jira.projects)], "Q", forgotten=True)
    before = await fields.world.rows("SELECT * FROM resyncs WHERE connection_id = ANY($1)")
    fields.let_pass(3600)
    await fields.poll()
    assert await unseen(fields) == []
    assert await incidents(fields) == []
    after = await fields.world.rows("SELECT * FROM resyncs WHERE connection_id = ANY($1)")
    assert len(after) - len(before) == 1, "compared whole: this poll has not read it"
    fields.left.person().link("Q-1", "Blocks", "Q-2")
    lose_webhooks(fields)
    await fields.poll()
    assert ("P-1", True) in await raised(fields), "by the id of its issue"


async def test_a_project_out_of_scope_is_forgotten(fields: FieldWorld) -> None:
    await widen(fields, "TYPO")
    await fields.poll()
    assert await unseen(fields) == ["TYPO"]
    await fields.world.execute("UPDATE connections SET revision = 1 WHERE id = $1",
                               fields.connection)  # fmt: skip
    await fields.poll()
    assert await unseen(fields) == []


async def test_a_site_that_no_poll_ever_reached_is_an_incident(fields: FieldWorld) -> None:
    await fields.world.execute(
        "UPDATE sites SET polled_until = NULL, poll_due_at = to_timestamp(0)"
    )
    fields.left.jira.faults.add(Fault("error_before"))
    for _ in range(100):
        await poll.run_once(fields.world.ctx)
        if ("circuit_open", "investigating") in await incidents(fields):
            break
        fields.let_pass(25)
    else:
        raise AssertionError("nothing opened")


async def test_an_index_that_lags_for_hours_hides_nothing_for_long(fields: FieldWorld) -> None:
    """Search says for six hours that nothing was updated, then gives the time of the update: by
    then every ordinary poll looks later."""
    jira = fields.left.jira
    jira.lag.search = fields.right.jira.lag.search = 6 * 3600.0
    await fields.poll()
    fields.left.person().link("P-1", "Blocks", "P-2")
    lose_webhooks(fields)
    calls = jira.requests.count("POST", "/search/jql")
    for _ in range(8 * 12):
        fields.let_pass(300)
        await poll.run_once(fields.world.ctx)
        await fields.world.settle()
        if fields.right.jira.links:
            break
    assert fields.right.jira.triples_of() == {("P-3", "Blocks", "P-4")}
    # On a Data Center every reading is a search.
    calls = jira.requests.count("POST", "/search/jql") - calls
    assert calls <= 7 * 12 + 1, "one call a poll, as before"


async def test_a_poll_reaches_far_back_once_an_hour(fields: FieldWorld) -> None:
    wide: set[datetime] = set()
    for _ in range(25):
        await fields.poll()
        wide.add((await sites(fields))[fields.left.id]["widely_polled_at"])
        fields.let_pass(301)
    assert len(wide) == 3, "at once, after one hour, and after two"
