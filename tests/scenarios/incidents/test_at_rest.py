"""Pairs that nothing is done about are counted, and many at once open an incident."""

from app.store.alerts import incidents
from app.store.views import status
from app.sync.incidents import watch
from app.sync.upkeep.gauges import Gauges
from tests.scenarios.conftest import Build, Duo


async def open_kinds(duo: Duo) -> dict[str, dict[str, str | int]]:
    await watch.run_once(duo.world.ctx)
    async with duo.world.database.connection() as conn:
        found = await incidents.open_ones(conn)
    return {it.kind: dict(it.facts) for it in found if it.place.connection_id == duo.connection}


async def rest(duo: Duo, numbers: range) -> None:
    for number in numbers:
        duo.left.person("root").move(f"P-{number}", "X")
    await duo.world.settle()


async def test_most_pairs_of_a_project_at_rest_are_an_incident(build: Build) -> None:
    duo = await build(issues=10)
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    await rest(duo, range(1, 6))
    assert await open_kinds(duo) == {}, "half of them"
    await rest(duo, range(6, 7))
    found = (await open_kinds(duo))["pairs_at_rest"]
    assert (found["resting"], found["pairs"], found["projects"]) == (6, 10, "P")
    for number in range(1, 7):
        duo.left.person("root").move(f"X-{number}", "P")
    await duo.world.settle()
    await watch.run_once(duo.world.ctx)
    async with duo.world.database.connection() as conn:
        found_now = await incidents.open_ones(conn)
    assert [it.state.value for it in found_now if it.place.connection_id == duo.connection] == [
        "monitoring"
    ]


async def test_a_few_pairs_at_rest_are_none(build: Build) -> None:
    duo = await build(issues=9)
    await rest(duo, range(1, 10))
    assert await open_kinds(duo) == {}


async def test_issues_that_are_gone_rest_too_and_their_other_ends_do_not(build: Build) -> None:
    duo = await build(issues=10)
    for number in range(1, 10):
        duo.ann.link(f"P-{number}", "Blocks", "P-10")
    duo.ann.link("P-10", "Relates", "P-9")
    await duo.world.settle()
    for number in range(1, 6):
        duo.left.person("root").delete(f"P-{number}")
    await duo.world.settle()
    assert await open_kinds(duo) == {}, "five of ten: the other ends have links that are managed"
    duo.left.person("root").delete("P-6")
    await duo.world.settle()
    assert (await open_kinds(duo))["pairs_at_rest"]["resting"] == 6


async def test_what_rests_is_counted(duo: Duo) -> None:
    await duo.mirrored()
    kept = await duo.mirrored("P-3", "Relates", "P-4")
    await rest(duo, range(1, 2))
    duo.bob.unlink(next(it for it in duo.right.jira.links.values() if it.source != kept.source))
    await duo.world.settle()
    async with duo.world.database.connection() as conn:
        row = await status.of_connection(conn, duo.connection, duo.world.now())
    assert (row.pairs_suspended, row.suspended, row.orphaned, row.released) == (1, 1, 0, 0)
    await Gauges(duo.world.ctx).run_once()
    value = duo.world.ctx.metrics.registry.get_sample_value
    assert (
        value("twinlink_pairs_suspended", {"connection": f"left-right-{duo.world.serial}-0"}) == 1
    )
