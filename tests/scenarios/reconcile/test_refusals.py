"""What a site refuses for a reason of its own: a person is wanted, a permission is missing."""

from datetime import UTC, datetime

import pytest

from app.sandbox import Fault
from app.store.config import sites
from app.sync.incidents import watch
from app.sync.upkeep import circuits
from app.sync.upkeep.gauges import Gauges
from tests.scenarios.conftest import Duo
from tests.scenarios.reconcile.test_errors import failed, work_of


async def unlock(duo: Duo) -> None:
    async with duo.world.database.transaction() as conn:
        assert await sites.unlock(conn, duo.right.id)


async def incidents(duo: Duo) -> list[tuple[str, str]]:
    await watch.run_once(duo.world.ctx)
    rows = await duo.world.rows(
        f"""SELECT kind, state FROM incidents WHERE site_id = {duo.right.id}
            OR connection_id = ANY($1::bigint[])"""  # noqa: S608
    )
    return [(it["kind"], it["state"]) for it in rows]


@pytest.mark.parametrize("path", ["", "^/issueLink$"])
async def test_a_captcha_stops_all_calls_until_a_person_says_go_on(duo: Duo, path: str) -> None:
    await duo.mirrored("P-1", "Blocks", "P-2")
    fault = duo.right.jira.faults.add(Fault("captcha", path=path))
    duo.ann.link("P-3", "Blocks", "P-4")
    for _ in range(20):
        await duo.world.deliver()
        await duo.world.look()
        duo.world.clock.tick(120)
    assert fault.hits == 1
    asked = len(duo.right.jira.requests.entries)
    assert (await work_of(duo, "P-3"))["waiting"] == "site:captcha_required"
    assert await failed(duo) == {}
    assert await incidents(duo) == [("site_locked", "investigating")]
    await circuits.run_once(duo.world.ctx)
    labels = {"site": duo.right.access.name}
    await Gauges(duo.world.ctx).run_once()
    gauge = duo.world.ctx.metrics.registry.get_sample_value
    for label in (labels,):
        assert gauge("twinlink_site_locked", label) == 1
    assert len(duo.right.jira.requests.entries) == asked
    duo.right.jira.faults.clear()
    await unlock(duo)
    await fresh(duo)
    await duo.world.settle()
    assert len(duo.right.ours) == 2
    assert await incidents(duo) == [("site_locked", "monitoring")]


async def fresh(duo: Duo) -> None:
    """Another process: what this one remembers for a second is not the matter here."""
    duo.world.ctx = duo.world.worker()


async def test_an_answer_that_comes_after_the_unlocking_locks_nothing(duo: Duo) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    async with duo.world.database.transaction() as conn:
        row = await sites.by_id(conn, duo.right.id)
        assert row is not None
        assert await sites.record_lock(conn, row.id, row.version, at)
        assert await sites.unlock(conn, row.id)
        assert not await sites.record_lock(conn, row.id, row.version, at)
        assert not await sites.unlock(conn, row.id)


async def test_a_missing_permission_to_link_is_told_from_bad_credentials(duo: Duo) -> None:
    """Data Center answers 401 to the POST, and everything else works."""
    duo.right.jira.permit("twinlink", "LINK_ISSUES", "P", allowed=False)
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    assert set((await failed(duo)).values()) == {"link_not_permitted"}
