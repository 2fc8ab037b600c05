"""Many issues, each held by the rule of one issue, are one incident of their connection."""

from typing import Any

from app.sync.incidents import watch
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.guard.guarding import decide, waits_for

LINKS = 5


async def hubs(build: Build, count: int) -> tuple[Duo, list[str]]:
    """So many issues, each with links to five others of its own; and a few links elsewhere."""
    duo = await build(issues=count * (LINKS + 1) + 8)
    names = [f"P-{1 + at * (LINKS + 1)}" for at in range(count)]
    for at in range(count):
        first = 1 + at * (LINKS + 1)
        for other in range(1, LINKS + 1):
            duo.ann.link(f"P-{first}", "Blocks", f"P-{first + other}")
    beside = count * (LINKS + 1)
    for at in range(4):
        duo.ann.link(f"P-{beside + 2 * at + 1}", "Blocks", f"P-{beside + 2 * at + 2}")
    await duo.world.settle()
    return duo, names


async def emptied(duo: Duo, names: list[str]) -> None:
    for name in names:
        first = int(name.removeprefix("P-"))
        for other in range(1, LINKS):
            duo.ann.unlink(name, "Blocks", f"P-{first + other}")
        await duo.world.settle()


async def incidents(duo: Duo) -> list[dict[str, Any]]:
    await watch.run_once(duo.world.ctx)
    return await duo.world.rows(
        """SELECT kind, impact, state, facts FROM incidents
           WHERE connection_id = ANY($1::bigint[]) AND kind = 'issues_held'"""
    )


async def test_three_issues_are_an_incident_with_counts_and_two_are_none(build: Build) -> None:
    duo, names = await hubs(build, 3)
    await emptied(duo, names[:2])
    assert await waits_for(duo) == ["issue_share"] * 8
    assert await incidents(duo) == []
    await emptied(duo, names[2:])
    [it] = await incidents(duo)
    assert (it["impact"], it["state"]) == ("minor", "investigating")
    facts = it["facts"]
    assert (facts["issue_count"], facts["removals"]) == (3, 12)
    [told] = await duo.world.rows(
        """SELECT u.text FROM incidents i JOIN incident_updates u ON u.incident_id = i.id
           WHERE i.connection_id = ANY($1::bigint[]) AND i.kind = 'issues_held'"""
    )
    assert "12 removals are held" in told["text"]
    assert "3 issues" in told["text"]
    await decide(duo, "reject")
    [it] = await incidents(duo)
    assert it["state"] == "monitoring", "it ends by itself"
